//! What can be broken on purpose, to see that a checker complains.

use super::watch::Promise;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sabotage {
    #[default]
    None,
    /// The worker ignores later permits.
    PermitsIgnored,
    /// The worker sends a voice back to its own leg.
    SelfHeard,
    /// A slot's numbering goes on over a switch as if the voice were the same.
    TenureKept,
    /// A slot that a renegotiation took and gave back begins its numbers anew.
    NumbersReused,
    /// The worker has no replay window.
    ReplaysPass,
    /// The ring is filled in front of the mute gate.
    RingOutlivesMute,
    /// Voices without a slot do not ask for one.
    ContestsLost,
    /// A slot that gets a voice is sent the whole ring at once.
    RingAtOnce,
    /// A slot that gets a voice is sent what the listener heard of it on another.
    RingRepeats,
    /// What a slot is sent of a ring is stamped later than it came.
    ClockRunsAhead,
    /// One listener of each voice gets nothing.
    VoiceLost,
    /// Orders to close a leg are lost.
    LegsStay,
    /// Two states have the same version.
    VersionsRepeat,
    /// Some states do not go out.
    StatesLost,
    /// The call is not told that its time has come.
    TimersLost,
    /// Nobody is told that somebody ceased to talk.
    CeasesLost,
    /// Nobody is told that his media is lost.
    RestartsLost,
    /// The call does not learn that its worker is gone.
    DeathUntold,
    /// A mute of all that shall stick does not.
    StickinessLost,
    /// What a stranger asks is done as if an onliner had asked.
    StrangersHeeded,
    /// What may be heard is recorded, whatever the call says.
    TapeRuns,
    /// Rung devices are not told that it is over.
    RingingLost,
}

impl Sabotage {
    /// Each kind, and the promise that breaks by it.
    pub const ALL: &[(Sabotage, Promise)] = &[
        (Sabotage::PermitsIgnored, Promise::MutedIsSilent),
        (Sabotage::SelfHeard, Promise::OnlyToOthersInTheCall),
        (Sabotage::TenureKept, Promise::Tenure),
        (Sabotage::NumbersReused, Promise::NumberUsedOnce),
        (Sabotage::ReplaysPass, Promise::NumberUsedOnce),
        (Sabotage::RingOutlivesMute, Promise::MutedIsSilent),
        (Sabotage::ContestsLost, Promise::EveryVoiceIsHeard),
        (Sabotage::RingAtOnce, Promise::Bounded),
        (Sabotage::RingRepeats, Promise::HeardOnce),
        (Sabotage::ClockRunsAhead, Promise::Tenure),
        (Sabotage::CeasesLost, Promise::EveryBeganCeases),
        (Sabotage::StrangersHeeded, Promise::RefusedChangesNothing),
        (Sabotage::RestartsLost, Promise::AlwaysBack),
        (Sabotage::DeathUntold, Promise::LastWordHolds),
        (Sabotage::StickinessLost, Promise::MutedIsSilent),
        (Sabotage::VoiceLost, Promise::EveryVoiceIsHeard),
        (Sabotage::LegsStay, Promise::OnlyToOthersInTheCall),
        (Sabotage::VersionsRepeat, Promise::VersionsRise),
        (Sabotage::StatesLost, Promise::LastWordHolds),
        (Sabotage::TimersLost, Promise::DeadlinesAreMet),
        (Sabotage::TapeRuns, Promise::RecordedAsTold),
        (Sabotage::RingingLost, Promise::LastWordHolds),
    ];
}
