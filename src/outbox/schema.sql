-- Facts that the core has not acknowledged yet, and what is to be known of their calls.
CREATE TABLE calls (
    uid TEXT PRIMARY KEY,
    -- The newest fact's number.
    seq INTEGER NOT NULL,
    -- "team":..,"chat":..: what each of its facts begins with.
    head TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    -- When it was answered, in nanoseconds since 1970; NULL until then.
    started INTEGER,
    -- When its newest fact happened.
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who was in it, in the order they came.
CREATE TABLE people (
    call TEXT NOT NULL REFERENCES calls ON DELETE CASCADE,
    jid TEXT NOT NULL,
    name TEXT NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (call, jid)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: an id is never given twice, though the newest rows go when they are acknowledged.
CREATE TABLE facts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    call TEXT NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- {"jid":..,"display_name":..}, or '' where it is nobody's doing.
    actor TEXT NOT NULL,
    details TEXT NOT NULL
) STRICT;

CREATE INDEX facts_of ON facts (call);
