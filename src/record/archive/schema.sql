-- The index of recordings. All of it is derived from their folders: another version is not
-- converted, the file is made anew.
CREATE TABLE recordings (
    id TEXT PRIMARY KEY,
    call TEXT NOT NULL,
    -- The group's jid, or the smaller one of two people's; `other` is '' for a group.
    one TEXT NOT NULL,
    other TEXT NOT NULL,
    name TEXT NOT NULL,
    folded TEXT NOT NULL,
    began TEXT NOT NULL,
    -- NULL until it is finished.
    ended TEXT,
    duration_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    favourite INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- In the order they came.
CREATE TABLE people (
    id TEXT NOT NULL REFERENCES recordings ON DELETE CASCADE,
    place INTEGER NOT NULL,
    jid TEXT NOT NULL,
    name TEXT NOT NULL,
    folded TEXT NOT NULL,
    talked_ms INTEGER NOT NULL,
    PRIMARY KEY (id, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE tags (
    id TEXT NOT NULL REFERENCES recordings ON DELETE CASCADE,
    place INTEGER NOT NULL,
    tag TEXT NOT NULL,
    folded TEXT NOT NULL,
    PRIMARY KEY (id, place)
) STRICT, WITHOUT ROWID;

-- Those with a checksum, which is what a browser knows a file again by.
CREATE TABLE files (
    id TEXT NOT NULL REFERENCES recordings ON DELETE CASCADE,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (id, name)
) STRICT, WITHOUT ROWID;
