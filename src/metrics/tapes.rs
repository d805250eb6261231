//! What is counted of recordings.

use super::families::{Family, Kind};

/// One number; a label comes from a closed enum of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tape {
    /// Being made.
    Open,
    Dropped,
    NotesLost,
    NotSynced,
    /// By why.
    Stops(&'static str),
    /// By whether they are ready.
    Finished(&'static str),
    /// For the store.
    Waiting,
    UploadedBytes,
    /// By outcome.
    Uploads(&'static str),
}

impl Tape {
    /// Name, help and kind.
    pub fn family(self) -> Family {
        use Kind::{Counter, Gauge};
        let (kind, name, help) = match self {
            Self::Open => (Gauge, "voxhall_recordings", "Recordings that are being made."),
            Self::Dropped => (
                Counter,
                "voxhall_record_dropped_total",
                "Voice packets of recorded calls that the recorder had no time or no disk for.",
            ),
            Self::NotesLost => (
                Counter,
                "voxhall_record_notes_lost_total",
                "Lines that are missing in timelines: the recorder had no time for them.",
            ),
            Self::NotSynced => (
                Counter,
                "voxhall_record_sync_failures_total",
                "Times that recordings were not brought to the disk: a power cut may cost more.",
            ),
            Self::Stops(_) => (
                Counter,
                "voxhall_record_stops_total",
                "Times that all recordings stopped while calls went on, by reason.",
            ),
            Self::Finished(_) => (
                Counter,
                "voxhall_recordings_finished_total",
                "Recordings made ready, or not, by outcome.",
            ),
            Self::Waiting => (
                Gauge,
                "voxhall_archive_waiting_recordings",
                "Recordings that wait to be uploaded to the store, or to be deleted there.",
            ),
            Self::UploadedBytes => (
                Counter,
                "voxhall_archive_uploaded_bytes_total",
                "Bytes of recordings sent to the store.",
            ),
            Self::Uploads(_) => (
                Counter,
                "voxhall_archive_uploads_total",
                "Uploads of recordings: confirmed, failed and tried again, or refused.",
            ),
        };
        Family { name, help, kind }
    }

    /// The label's name and value.
    pub fn label(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Stops(reason) => Some(("reason", reason)),
            Self::Finished(outcome) | Self::Uploads(outcome) => Some(("outcome", outcome)),
            Self::Open
            | Self::Dropped
            | Self::NotesLost
            | Self::NotSynced
            | Self::Waiting
            | Self::UploadedBytes => None,
        }
    }
}
