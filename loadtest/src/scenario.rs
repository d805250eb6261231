//! Scenario: what a load consists of, from a TOML file and flags of the same names. Flags win.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// What is asked for; what is not gets its default in [`Scenario`].
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Wishes {
    /// Onliners a call [default: 10].
    #[arg(long)]
    pub onliners: Option<usize>,
    /// How many of a call's onliners talk [default: 3, or all of a smaller call].
    #[arg(long)]
    pub talking: Option<usize>,
    /// Calls at the same time [default: 1].
    #[arg(long)]
    pub calls: Option<usize>,
    /// Length of the window that is measured [default: 10].
    #[arg(long)]
    pub seconds: Option<u64>,
    /// Joins a second [default: 50].
    #[arg(long)]
    pub ramp: Option<f64>,
    /// Seconds between the last join and the window [default: 2].
    #[arg(long, value_name = "SECONDS")]
    pub settle: Option<u64>,
    /// Audio sections every client offers, one voice each [default: one for each talker].
    #[arg(long)]
    pub sections: Option<usize>,
    /// Talkers pause as people do (ITU-T P.59) [default: false, they never pause].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub talk_spurts: Option<bool>,
    /// Milliseconds of sound in a talker's packet: 20, 40 or 60 [default: 20].
    #[arg(long, value_name = "MS")]
    pub frame_ms: Option<u32>,
    /// Onliners that leave and come back within the window, a second [default: 0].
    #[arg(long, value_name = "A SECOND")]
    pub churn: Option<f64>,
    /// Onliners that mute and unmute within the window, a second [default: 0].
    #[arg(long, value_name = "A SECOND")]
    pub mutes: Option<f64>,
    /// Onliners that lose their connection and make a new one, a second [default: 0].
    #[arg(long, value_name = "A SECOND")]
    pub reconnects: Option<f64>,
    /// Record every call [default: false].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub record: Option<bool>,
    /// Datagrams lost at random, each way, in percent [default: 0].
    #[arg(long, value_name = "PERCENT")]
    pub loss: Option<f64>,
    /// Datagrams late at random by up to this, each way, in milliseconds [default: 0].
    #[arg(long, value_name = "MS")]
    pub jitter: Option<f64>,
    /// Who only listens decrypts one packet in N and counts the others by their headers.
    #[arg(long, value_name = "N")]
    pub light: Option<u32>,
    /// Of everything random [default: 1].
    #[arg(long)]
    pub seed: Option<u64>,
}

/// A whole load.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Scenario {
    pub name: String,
    /// A call.
    pub onliners: usize,
    /// A call.
    pub talking: usize,
    pub calls: usize,
    pub seconds: u64,
    /// Joins a second.
    pub ramp: f64,
    /// Between the last join and the window; older reports do not tell.
    #[serde(default = "usual_settling")]
    pub settle_seconds: u64,
    pub sections: usize,
    pub talk_spurts: bool,
    pub frame_ms: u32,
    pub churn_per_second: f64,
    pub mutes_per_second: f64,
    pub reconnects_per_second: f64,
    pub record: bool,
    pub loss_percent: f64,
    pub jitter_ms: f64,
    /// Light legs decrypt one packet in so many.
    pub light: Option<u32>,
    pub seed: u64,
}

impl Scenario {
    /// What `flags` ask for, else the file or built-in scenario `named`, else the defaults.
    ///
    /// # Errors
    /// When the file cannot be read, or a figure makes no sense.
    pub fn of(flags: Wishes, named: Option<&str>) -> Result<Self> {
        let file = named.map(read).transpose()?.unwrap_or_default();
        let onliners = flags.onliners.or(file.onliners).unwrap_or(10);
        let talking = flags.talking.or(file.talking).unwrap_or(3.min(onliners));
        let scenario = Self {
            name: named.unwrap_or("flags").to_owned(),
            onliners,
            talking,
            calls: flags.calls.or(file.calls).unwrap_or(1),
            seconds: flags.seconds.or(file.seconds).unwrap_or(10),
            ramp: flags.ramp.or(file.ramp).unwrap_or(50.0),
            settle_seconds: flags.settle.or(file.settle).unwrap_or_else(usual_settling),
            sections: flags.sections.or(file.sections).unwrap_or(talking.max(1)),
            talk_spurts: flags.talk_spurts.or(file.talk_spurts).unwrap_or(false),
            frame_ms: flags.frame_ms.or(file.frame_ms).unwrap_or(20),
            churn_per_second: flags.churn.or(file.churn).unwrap_or(0.0),
            mutes_per_second: flags.mutes.or(file.mutes).unwrap_or(0.0),
            reconnects_per_second: flags.reconnects.or(file.reconnects).unwrap_or(0.0),
            record: flags.record.or(file.record).unwrap_or(false),
            loss_percent: flags.loss.or(file.loss).unwrap_or(0.0),
            jitter_ms: flags.jitter.or(file.jitter).unwrap_or(0.0),
            light: flags.light.or(file.light),
            seed: flags.seed.or(file.seed).unwrap_or(1),
        };
        scenario.check()?;
        Ok(scenario)
    }

    pub fn pause(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.ramp)
    }

    pub fn window(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    pub fn settling(&self) -> Duration {
        Duration::from_secs(self.settle_seconds)
    }

    fn check(&self) -> Result<()> {
        ensure!(self.calls > 0 && self.onliners > 0, "there is no call without an onliner");
        ensure!(self.talking <= self.onliners, "--talking is more than --onliners");
        ensure!(self.seconds > 0, "a window of no time measures nothing: --seconds 1 or more");
        ensure!(self.ramp.is_finite() && self.ramp > 0.0, "--ramp is joins a second, above 0");
        ensure!(self.settle_seconds <= 3600, "--settle is at most an hour, 3600");
        ensure!(self.sections > 0, "an offer has at least one section: --sections 1 or more");
        ensure!([20, 40, 60].contains(&self.frame_ms), "--frame-ms is 20, 40 or 60");
        ensure!(self.light != Some(0), "--light 1 decrypts every packet, 50 one in 50");
        ensure!((0.0..100.0).contains(&self.loss_percent), "--loss is a percentage below 100");
        ensure!((0.0..=1000.0).contains(&self.jitter_ms), "--jitter is 0 to 1000 ms");
        for rate in [self.churn_per_second, self.mutes_per_second, self.reconnects_per_second] {
            ensure!((0.0..=1000.0).contains(&rate), "--churn, --mutes, --reconnects: 0 to 1000");
        }
        Ok(())
    }
}

fn usual_settling() -> u64 {
    2
}

fn read(named: &str) -> Result<Wishes> {
    let built_in = BUILT_IN.iter().find(|(name, _)| *name == named);
    let text = match built_in {
        Some((_, text)) => (*text).to_owned(),
        None => std::fs::read_to_string(Path::new(named)).with_context(|| {
            let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            format!("--scenario {named} is neither a file nor one of {}", names.join(", "))
        })?,
    };
    toml::from_str(&text).with_context(|| format!("{named} is not a scenario"))
}

/// The files of `scenarios/`, so that the program needs none beside it.
const BUILT_IN: [(&str, &str); 7] = [
    ("small-calls", include_str!("../scenarios/small-calls.toml")),
    ("all-hands", include_str!("../scenarios/all-hands.toml")),
    ("webinar", include_str!("../scenarios/webinar.toml")),
    ("fifty-calls", include_str!("../scenarios/fifty-calls.toml")),
    ("join-storm", include_str!("../scenarios/join-storm.toml")),
    ("churn", include_str!("../scenarios/churn.toml")),
    ("lossy", include_str!("../scenarios/lossy.toml")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_in_the_folder_is_built_in_and_makes_sense() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let files = std::fs::read_dir(folder).expect("the folder is there").count();
        assert_eq!(files, BUILT_IN.len());
        for (name, _) in BUILT_IN {
            Scenario::of(Wishes::default(), Some(name)).expect(name);
        }
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let flags = Wishes { onliners: Some(30), ..Wishes::default() };
        let scenario = Scenario::of(flags, Some("churn")).expect("both make sense");
        assert_eq!((scenario.onliners, scenario.seconds, scenario.frame_ms), (30, 30, 20));
    }

    #[test]
    fn a_load_settles_for_two_seconds_or_as_long_as_is_asked() {
        let settling = |flags| Scenario::of(flags, None).expect("it makes sense").settling();
        let asked: Wishes = toml::from_str("settle = 6").expect("a key");
        assert_eq!(settling(Wishes::default()), Duration::from_secs(2));
        assert_eq!(settling(asked), Duration::from_secs(6));
    }

    #[test]
    fn an_older_report_tells_its_scenario_without_settling() {
        let scenario = Scenario::of(Wishes::default(), None).expect("defaults make sense");
        let mut told = serde_json::to_value(scenario).expect("plain figures");
        let known = told.as_object_mut().and_then(|told| told.remove("settle_seconds"));
        let read: Scenario = serde_json::from_value(told).expect("nothing else lacks");
        assert_eq!((known, read.settle_seconds), (Some(2.into()), 2));
    }

    #[test]
    fn an_unknown_name_or_key_is_refused() {
        assert!(Scenario::of(Wishes::default(), Some("no-such-file.toml")).is_err());
        assert!(toml::from_str::<Wishes>("onlookers = 3").is_err());
    }
}
