//! Every bound of the shells: its unit, why it is that number, and what happens there.

mod record;

use std::time::Duration;

pub use self::record::*;
use crate::backoff::Backoff;

// What a client may send.

/// Bytes of one message. A browser's audio offer is 2 to 5 KiB. Beyond: close 1009.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Arrays and objects inside each other; our deepest event has four. Beyond: `bad_json`.
pub const JSON_DEPTH_MAX: usize = 16;
/// Characters of a name (beyond: refused) or a reason (beyond: cut). PROTOCOL.md section 5.
pub const NAME_CHARS_MAX: usize = 256;
/// Bytes of a jid, as the engine has it. Beyond: `bad_params`.
pub const JID_BYTES_MAX: usize = engine::limits::JID_BYTES;
/// Characters of a call's uid, a mid and other short words. Beyond: `bad_params`.
pub const UID_CHARS_MAX: usize = 128;
/// Characters of one candidate line; browsers' are under 200. Beyond: `bad_params`.
pub const CANDIDATE_CHARS_MAX: usize = 1024;
/// Characters of a `confirm_id`; clients use UUIDs. Beyond: `bad_params`.
pub const CONFIRM_ID_CHARS_MAX: usize = 128;
/// Characters of `?device=`. Beyond: 422.
pub const DEVICE_CHARS_MAX: usize = 64;
/// Characters kept of a User-Agent; browsers' are under 200. Beyond: cut.
pub const USERAGENT_CHARS_MAX: usize = 256;

// How fast.

/// Messages a second and socket, sustained: a trickling client sends fewer than ten.
pub const MESSAGES_PER_S: u32 = 20;
/// Messages at once: an offer with all its candidates. Beyond: `too_fast`, not applied.
pub const MESSAGES_BURST: u32 = 50;
/// Messages refused in a row before the socket is closed with 1008: nobody reads warnings there.
pub const FLOOD_REFUSED_MAX: u32 = 200;

// How many.

/// Sockets of one person: a phone, two computers and two tabs. Beyond: 429.
pub const SOCKETS_PER_PERSON_MAX: usize = 5;
/// Devices of one person, those without a socket included: with their repeats 12 KiB each at
/// most. Beyond: the one away longest goes.
pub const DEVICES_PER_PERSON_MAX: usize = 16;
/// People of the built-in core; each takes about 500 bytes. Beyond: 429.
pub const PEOPLE_MAX: usize = 10_000;
/// Groups of the built-in core. Beyond: 429.
pub const GROUPS_MAX: usize = 1_000;
/// Contacts that `server.online` lists, 75 bytes each. Beyond: left out.
pub const ONLINE_CONTACTS_MAX: usize = 1_000;

// What waits for a client.

/// Messages waiting for a slow socket, of a call only its newest state. Beyond: close 1013.
pub const QUEUE_MESSAGES_MAX: usize = 256;
/// Bytes of them without states, whose text all readers share. Beyond: close 1013.
pub const QUEUE_BYTES_MAX: usize = 1024 * 1024;
/// Events a device has not confirmed, kept for its resume. Beyond: the oldest goes, counted.
pub const UNCONFIRMED_MAX: usize = 256;
/// Bytes of them without states. Beyond: the oldest goes, counted.
pub const UNCONFIRMED_BYTES_MAX: usize = 256 * 1024;
/// A dead socket is noticed in 30 s and its device forgotten 30 s later: what is older has
/// arrived, or nobody waits for it. Beyond: it goes.
pub const UNCONFIRMED_AGE_MAX: Duration = Duration::from_secs(60);
/// How long a repeated `confirm_id` is known (PROTOCOL.md section 1), whether its device has a
/// socket or not. Beyond: applied again.
pub const REPEAT_WINDOW: Duration = Duration::from_secs(120);
/// Confirm ids remembered a device, 24 bytes each. Beyond: the oldest is forgotten.
pub const REPEATS_MAX: usize = 512;

// How long.

/// Server pings, one socket: two of them fit into `SOCKET_DEAD_AFTER`.
pub const PING_EVERY: Duration = Duration::from_secs(15);
/// Silence after which a socket is dead and dropped.
pub const SOCKET_DEAD_AFTER: Duration = Duration::from_secs(30);
/// How long mail waits for a device without a socket. Beyond: forgotten; the confirm ids that it
/// used stay for `REPEAT_WINDOW`.
pub const RESUME_GRACE: Duration = Duration::from_secs(30);
/// How long a closed socket's last bytes may take to be read, so that the close code arrives.
pub const LINGER: Duration = Duration::from_secs(1);
/// Bytes of a request's head: 8 KiB, and a token. Beyond: 422.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Bytes in which a request's head is read: beyond, 431 from the HTTP layer, which nobody counts.
pub const HEAD_BUFFER_BYTES: usize = 24 * 1024;
/// How long a request's head may take. Beyond: the connection is closed.
pub const HEADER_READ_MAX: Duration = Duration::from_secs(5);
/// How long a request may take, its body included. Beyond: 500.
pub const REQUEST_MAX: Duration = Duration::from_secs(10);
/// How long an HTTP event waits for what it produces. Beyond: an empty result.
pub const HTTP_ANSWER_MAX: Duration = Duration::from_secs(5);
/// Shortest time between two `server.online` to everybody.
pub const ONLINE_EVERY: Duration = Duration::from_millis(300);
/// What `server.online` may cost in all, in bytes a second. Beyond: it comes less often.
pub const ONLINE_BYTES_PER_S: usize = 8 * 1024 * 1024;
/// Bytes of messages that wait in a socket's buffer to be written together. A longer one goes past
/// it, as the buffer never shrinks.
pub const WRITE_BUFFER_BYTES: usize = 1024;
/// Bytes of a fragment of a long message: so much at most has to be finished before a close frame
/// can go.
pub const FRAGMENT_BYTES: usize = 64 * 1024;
/// Bytes of a socket's read buffer; it grows to the longest message, and stays.
pub const READ_BUFFER_BYTES: usize = 1024;

/// Orders that wait for a media worker; beyond it a new leg is refused (`overloaded`).
pub const WORKER_ORDERS: usize = 16_384;

/// A worker's tick: notices are told again, a tenth of the legs is swept.
pub const TICK: Duration = Duration::from_millis(100);

/// Ticks in which every leg is swept once: about a second.
pub const TICKS_A_SWEEP: u32 = 10;

/// Packets a leg may send before its keys have come: 80 ms of a voice. More are dropped.
pub const EARLY_PACKETS: usize = 4;

/// Datagrams a second a sender may send: Opus at 20 ms takes 50, at 2.5 ms 400. More are dropped.
pub const SENDER_PACKETS_PER_S: u32 = 400;

/// Datagrams of a handshake a second and leg: a flight has about six. More are dropped.
pub const HANDSHAKE_DATAGRAMS_PER_S: u32 = 64;

/// An address that a leg proved is not given to another one's check while the leg was heard
/// within this time.
pub const ADDRESS_HELD: Duration = Duration::from_secs(3);

/// Presences that wait to be told to calls, in their order. Beyond: lost, logged.
pub const PRESENCES: usize = 16_384;

/// Bytes a second: Opus at its most, 510 kbit/s, with headers. More are dropped.
pub const SENDER_BYTES_PER_S: u32 = 80_000;

/// Packets that wait for the meter of a worker; beyond that a voice without levels talks unnoticed
/// for as long, counted.
pub const METER_PACKETS: usize = 1_024;

/// Decoders that a meter keeps, about 20 KiB each. Beyond: the one quiet for longest begins anew.
pub const METER_EARS: usize = 4_096;

/// Packets out of rings, beyond the newest, that a worker sends in 20 ms: a new voice reaches as
/// many listeners from its first syllable on, others catch up later.
pub const RING_EXTRA_PACKETS: u32 = 2_000;

/// Padding that makes packets of one listener alike, in bytes. Beyond: another message.
pub const PADDING_BYTES_MAX: u16 = 64;

/// Listeners who are sent bundles before other packets are looked at again: about half a
/// millisecond.
pub const BUNDLE_LISTENERS_A_TURN: usize = 128;

/// How far a worker's load must fall until its bundles are short again, in percent of a CPU:
/// longer ones save a fifth.
pub const BUNDLE_RELIEF_PERCENT: u32 = 25;

/// How long a listener whose line was bad hears each packet by itself.
pub const BUNDLE_LOSSY: Duration = Duration::from_secs(30);

/// Replacements of a media worker whose thread ended. Beyond: given up, `/readyz` says so.
pub const WORKER_RESTARTS_MAX: u32 = 100;

/// Sweeps between two looks at the machine's routes, a leg: 4 s, in which no network changes hands
/// unnoticed by ICE.
pub const ROUTES_EVERY_SWEEPS: u32 = 4;

/// Sweeps between sender reports of a slot: 5 s (RFC 3550 section 6.2).
pub const SENDER_REPORT_EVERY_SWEEPS: u32 = 5;

/// Most loss a talker is told of that is not his own, in 256ths: a fifth.
pub const REPORTED_LOSS_MAX: u8 = 51;

/// Messages that wait for a call's task; a sender waits, a worker tells its notice again.
pub const CALL_MESSAGES: usize = 1_024;
/// Messages of a call that may follow each other until devices which came meanwhile are told how
/// it stands, by one text: one of 3,000 onliners has a megabyte and takes 5 ms to write.
pub const NEWCOMERS_WAIT: usize = 256;

/// How long a call to oneself may take, from its offers to the voice on the way back: it takes a
/// tenth of a second. Beyond: failed.
pub const PROBE_CALL_MAX: Duration = Duration::from_secs(5);

/// How long its clients and its task may take to end. Beyond: ended.
pub const PROBE_END_MAX: Duration = Duration::from_secs(1);

/// How long after a first failure it is tried again.
pub const PROBE_AGAIN: Duration = Duration::from_secs(1);

/// Live calls of a node; one more is refused (`overloaded`).
pub const CALLS_MAX: usize = 20_000;

/// Facts and acknowledgements on their way to the outbox's thread. Beyond: lost, counted.
pub const FACTS_ORDERS_MAX: usize = 65_536;

/// Of these in one transaction.
pub const FACTS_A_TURN: usize = 1_024;

/// Facts that are read at once, and that may be on their way to the core unacknowledged.
pub const FACTS_READ_MAX: usize = 256;

/// How long a finished call's numbers are kept for what becomes of its recordings: 90 days.
pub const FACTS_CALLS_KEPT_NANOS: i64 = 90 * 24 * 3_600 * 1_000_000_000;

/// Groups of somebody whose socket came, of which he is told the calls.
pub const CORE_GROUPS_MAX: usize = 10_000;

/// A message of the core, in bytes: a client's longest event, and what the core adds.
pub const CORE_MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// Messages kept for a core until it has acknowledged them, and their bytes. Beyond: superseded
/// states and old descriptions go, then the oldest, counted.
pub const CORE_KEPT_MAX: usize = 16_384;
pub const CORE_KEPT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A description that is older when the link is back is of no use: its client has dialled again.
pub const CORE_SDP_MAX_AGE: Duration = Duration::from_secs(10);

/// Signals of different chats are acted on side by side, by so many.
pub const CORE_LANES: usize = 32;

/// Signals that wait in one lane. Beyond: refused, `overloaded`.
pub const CORE_LANE_SIGNALS: usize = 1_024;

/// How often a link is pinged, and after how long without a word it is given up.
pub const CORE_PING: Duration = Duration::from_secs(15);
pub const CORE_DEAD: Duration = Duration::from_secs(30);

/// How long a link may take to open, to its hello.
pub const CORE_OPEN_MAX: Duration = Duration::from_secs(5);

/// A link that is lost is dialled again after the first, then ever later, at last after the last.
pub const CORE_RETRY: Backoff =
    Backoff { first: Duration::from_millis(250), most: Duration::from_secs(5) };

/// Facts that are posted at once, and how long an answer may take.
pub const WEBHOOK_FACTS_MAX: usize = 100;
pub const WEBHOOK_ANSWER_MAX: Duration = Duration::from_secs(5);

/// A body for the operator's listener, in bytes; those that mean something have under 100.
/// Beyond: 422.
pub const ADMIN_BODY_BYTES_MAX: usize = 64 * 1024;

/// Requests of operators that are answered at once: some terminals and a scrape. Beyond: 429.
pub const ADMIN_REQUESTS_MAX: usize = 32;

/// Depth of the core's JSON: a client's event, and the link's message around it.
pub const CORE_JSON_DEPTH_MAX: usize = JSON_DEPTH_MAX + 2;

/// Bytes of a token, so that it fits into a request's head. Beyond: `INVALID_TOKEN`.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Chats that a token names. Beyond: `INVALID_TOKEN`.
pub const TOKEN_CHATS_MAX: usize = 256;

/// How far ahead a token may run out: whoever was put out of a chat is let in until then. Beyond:
/// `INVALID_TOKEN`.
pub const TOKEN_AHEAD_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Calls of one device that end with its token. Beyond: the oldest is not followed.
pub const JOINED_MAX: usize = 16;

/// Connections of one listener, sockets included: what a process may open, less what media and
/// recordings need. Beyond: closed at once.
pub const CONNECTIONS_MAX: usize = 20_000;

/// Connections at once that have not shown who they are. More wait.
pub const STRANGERS_MAX: usize = 256;

/// Of these, from one address: pages of ten people behind one router. More wait.
pub const STRANGERS_PER_ADDRESS: usize = 64;

/// Connections of one address that are there or wait, for each that has a place. Beyond: closed at
/// once, so that nobody fills `CONNECTIONS_MAX` by waiting.
pub const STRANGERS_WAITING_FOR_EACH: usize = 16;

/// How long a connection may go on without showing who it is, whatever it asks. Beyond: it ends
/// with its next answer, or at once.
pub const STRANGER_AGE_MAX: Duration = Duration::from_secs(15);

/// Wrong tokens a minute and address. Beyond: 429.
pub const FAILURES_PER_MIN: u32 = 10;

/// Requests a second and person. Beyond: 429.
pub const REQUESTS_PER_S: u32 = 100;

/// Offers a second and device, in the long run and at once: a mending client sends one and waits
/// for its answer. Beyond: `too_fast`.
pub const OFFERS_PER_S: u32 = 2;
pub const OFFERS_BURST: u32 = 5;

/// Devices whose offers are counted, 200 bytes each. Beyond: not counted.
pub const OFFERERS_MAX: usize = 65_536;

/// How long a connection waits among those who have not shown who they are. Beyond: closed.
pub const STRANGER_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long nothing is accepted after the system had no room for a connection.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a TLS handshake may take. Beyond: closed.
pub const TLS_HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// Fields of a request's head; browsers send some 20. Beyond: 422.
pub const HEADER_FIELDS_MAX: usize = 64;

/// Senders that are told apart when it is said how fast one may be, 100 bytes each. Beyond: let
/// pass.
pub const BUCKETS_MAX: usize = 16_384;

/// Lines of the log a second from one place in the code: more than a person reads, less than fills
/// a disk. Beyond: counted, and one line a second says how many were left out.
pub const LOG_LINES_PER_S: u32 = 100;

/// Traces that wait for the collector, and go to it at once. Beyond: lost, and counted.
pub const TRACES_MAX: usize = 2_048;
pub const TRACES_A_POST: usize = 256;

/// How long a trace waits for others to go along with, and how long an answer may take.
pub const TRACE_GATHERS: Duration = Duration::from_millis(500);
pub const TRACE_ANSWER_MAX: Duration = Duration::from_secs(5);
