//! Bounds of recordings: while they are made, as they are kept, and on their way to a store.

use std::time::Duration;

use super::NAME_CHARS_MAX;

// What is recorded.

/// Packets on their way from all workers to the recorder: 200 voices for 5 s, 8 MiB. Beyond: not
/// recorded, counted.
pub const RECORD_PACKETS_MAX: usize = 50_000;

/// Batches of them: each worker hands one over a `RECORD_HAND_OVER`, and one for each
/// `RECORD_BATCH` packets.
/// Beyond: not recorded, counted.
pub const RECORD_BATCHES_MAX: usize = 4_096;

/// How often a worker hands over: a voice's packets lie together then, and are written at once.
/// What a killed process loses at most, with a packet's length and the recorder's work.
pub const RECORD_HAND_OVER: Duration = Duration::from_millis(500);

/// Packets that a worker hands over at once: 160 voices of half a second.
pub const RECORD_BATCH: usize = 4_096;

/// What calls tell the recorder (who came, who is muted), beyond beginnings and ends, of which
/// there are two a recording. Beyond: not in the timeline, counted.
pub const RECORD_NOTES_MAX: usize = 65_536;

/// How often the recorder looks which tracks and recordings have ended.
pub const RECORD_TICK: Duration = Duration::from_millis(250);

/// How often what was written is brought to the disk, for a power cut; and how often the disk's
/// free space is looked at.
pub const RECORD_SYNC: Duration = Duration::from_secs(1);

/// Files of recordings that are brought to the disk one by one. More: the whole file system at
/// once (`syncfs(2)`), which is one transaction.
pub const RECORD_SYNCS_ALONE: usize = 8;

/// How long packets that were said before a recording's end may be on their way to it: what a
/// worker keeps, and three of its ticks.
pub const RECORD_END_GRACE: Duration = Duration::from_millis(800);

/// Longest track in samples, 12 hours. Beyond: another file goes on.
pub const RECORD_TRACK_SAMPLES_MAX: u64 = 12 * 3_600 * 48_000;

/// Losses from so long on, in samples, stand in the timeline each: 100 ms of silence behind what
/// was concealed.
pub const RECORD_GAP_TOLD_SAMPLES: u64 = 4_800;

/// Tracks of one recording. Beyond: not recorded.
pub const RECORD_TRACKS_MAX: u32 = 10_000;

/// Bytes of a timeline that wait for a full disk. Beyond: lines are lost.
pub const RECORD_LINES_BYTES_MAX: usize = 1024 * 1024;

/// Recordings that wait to be made ready. Beyond: made ready after the next start.
pub const RECORD_UNFINISHED_MAX: usize = 4_096;

/// Free bytes above the floor with which recording goes on after the disk was full: a minute of
/// several calls.
pub const RECORD_ROOM_BYTES: u64 = 1024 * 1024;

// What is kept.

/// Recordings of one page of the archive, 1 KiB each. Beyond: 422.
pub const ARCHIVE_PAGE_MAX: usize = 100;

/// Tags of one recording: all of them fit on one line of a page. Beyond: 422.
pub const TAGS_MAX: usize = 32;

/// Characters of one tag, which is a word or three. Beyond: 422.
pub const TAG_CHARS_MAX: usize = 64;

/// Characters of a text that is looked for: a name has no more. Beyond: 422.
pub const SEARCH_CHARS_MAX: usize = NAME_CHARS_MAX;

/// Files of recordings that one person is sent at once: a player opens two of one file. Beyond:
/// 429.
pub const DOWNLOADS_PER_PERSON_MAX: usize = 4;

/// Bytes of a file that are in memory for one download.
pub const DOWNLOAD_PIECE_BYTES: usize = 64 * 1024;

/// How often is looked whether recordings are too old, or too many.
pub const RETENTION_EVERY: Duration = Duration::from_secs(3_600);

/// Batches that the recorder takes before it writes again: 12 s of two workers that were handed
/// over while the disk was slow.
pub const RECORD_BATCHES_A_TURN: usize = 256;

/// Longest recording: a week. Beyond: another one begins. What claims to be longer is no recording.
pub const RECORD_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

// What goes to a store.

/// Bytes of one part of a large file, in memory while it is sent; smaller files go at once. S3
/// takes 10,000 parts of at least 5 MiB: our largest files, of 4 GiB, have 256.
pub const UPLOAD_PART_BYTES: u64 = 16 * 1024 * 1024;

/// Recordings that the uploader was told of while it was busy. Beyond: found by the next look.
pub const UPLOADS_TOLD_MAX: usize = 4_096;

/// How often is looked for recordings that are not in the store, or may go from this disk.
pub const UPLOAD_LOOK_EVERY: Duration = Duration::from_secs(3_600);

/// How long after a first failure a store is asked again; each further one doubles it.
pub const STORE_RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest wait before a store is asked again: nobody waits for more than that after an outage.
pub const STORE_RETRY_MOST: Duration = Duration::from_secs(300);

/// How long a store may take to take a connection. Beyond: tried again.
pub const STORE_CONNECT_MAX: Duration = Duration::from_secs(10);

/// How long a store may say nothing, while it is sent a part too: 16 MiB at half a megabit a
/// second. Beyond: tried again.
pub const STORE_QUIET_MAX: Duration = Duration::from_secs(300);

/// Characters of what a store said that stand in a line of the log. Beyond: cut.
pub const STORE_TOLD_CHARS_MAX: usize = 400;
