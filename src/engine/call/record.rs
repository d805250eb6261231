//! Recording as the call sees it: wanted or not, and whether what is recorded arrives on the disk.

use super::{Call, Effect, FactKind, Phase};
use crate::{Jid, Now};

/// See the module's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Record {
    #[default]
    Off,
    /// Everybody is told.
    On,
    /// Wanted, but the disk takes nothing at present.
    Stopped,
}

impl Record {
    pub const fn is_wanted(self) -> bool {
        match self {
            Record::On | Record::Stopped => true,
            Record::Off => false,
        }
    }
}

impl Call {
    /// Whether what is said now is recorded.
    pub fn is_recording(&self) -> bool {
        self.record == Record::On
    }

    /// Whether it would be, if the disk took it.
    pub fn is_record_stopped(&self) -> bool {
        self.record == Record::Stopped
    }

    /// By somebody's wish, by the rule, or as the call ends.
    pub(super) fn record(&mut self, now: Now, by: Option<Jid>, on: bool) {
        if self.record.is_wanted() == on {
            return;
        }
        self.record = if on { Record::On } else { Record::Off };
        let kind = if on { FactKind::RecordOn } else { FactKind::RecordOff };
        self.note(now, by.as_ref(), kind);
        self.effects.push_back(match on {
            true => Effect::RecordBegan { by },
            false => Effect::RecordEnded { by },
        });
        self.changed(now);
    }

    /// A call that is to be recorded anyway, from its start on.
    pub(super) fn record_by_rule(&mut self, now: Now) {
        if self.rules.record_auto && !self.was_recorded && matches!(self.phase, Phase::Live { .. })
        {
            self.was_recorded = true;
            self.record(now, None, true);
        }
    }

    pub(super) fn recorder(&mut self, now: Now, writes: bool) {
        let record = match (self.record, writes) {
            (Record::Off, _) => Record::Off,
            (Record::On | Record::Stopped, true) => Record::On,
            (Record::On | Record::Stopped, false) => Record::Stopped,
        };
        if record != self.record {
            self.record = record;
            self.changed(now);
        }
    }
}
