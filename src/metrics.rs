//! Metrics: what `/metrics` says (Prometheus text format 0.0.4). The only home of the prometheus
//! crate.
//!
//! Numbers are **pulled**: whoever works counts in plain integers of his own and hands them over,
//! as a [`Source`], when somebody asks. So a packet costs no shared counter. Rare events of the
//! control plane may be counted here instead ([`Metrics::count`]). Equal samples of several
//! sources are added up.

mod doors;
mod families;
mod posts;
mod probes;
mod tapes;
mod together;

pub use doors::Door;
pub use families::{Family, Kind, Sample};
pub use posts::Post;
pub use probes::Probe;
pub use tapes::Tape;
pub use together::Together;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use prometheus::core::Collector;
use prometheus::proto::{self, LabelPair, MetricFamily, MetricType};
use prometheus::{Histogram, HistogramOpts, TextEncoder};

/// Somebody with numbers to tell: a media worker, the registry of calls, the sockets.
pub trait Source {
    /// Hands over every number as it stands. Counters are totals since the start; a labelled one
    /// comes with all its labels, those at 0 too, so that an alert on it can be written before
    /// the first case.
    fn collect(&self, sink: &mut dyn Sink);
}

/// Where a source's numbers go.
pub trait Sink {
    fn add(&mut self, sample: Sample, value: u64);
}

/// What this process counts itself, and the way to the text.
pub struct Metrics {
    counted: Mutex<Tally>,
    offer_seconds: Histogram,
    probe_seconds: Histogram,
    started: Duration,
}

type Tally = BTreeMap<Sample, u64>;

impl Metrics {
    /// `started` is this process's start.
    pub fn new(started: SystemTime) -> Self {
        let offer_seconds = histogram("voxhall_offer_seconds", OFFER_HELP, &OFFER_BUCKETS_S);
        let probe_seconds = histogram("voxhall_probe_seconds", PROBE_HELP, &PROBE_BUCKETS_S);
        let started = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { counted: Mutex::default(), offer_seconds, probe_seconds, started }
    }

    /// Counts one event. Takes a lock: for the control plane, not for packets.
    pub fn count(&self, sample: Sample) {
        // A tally is whole between any two additions: a panic elsewhere leaves it good.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).add(sample, 1);
    }

    /// An offer was answered, `elapsed` after it was read.
    pub fn offer_answered(&self, elapsed: Duration) {
        self.offer_seconds.observe(elapsed.as_secs_f64());
    }

    /// The node's call to itself was heard, `elapsed` after it was begun.
    pub fn probe_heard(&self, elapsed: Duration) {
        self.probe_seconds.observe(elapsed.as_secs_f64());
    }

    /// The text of `/metrics`: our own counts and those of `sources`.
    pub fn render(&self, sources: &[&dyn Source]) -> String {
        let mut tally = self.counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for sample in Sample::EACH.into_iter().filter(|sample| sample.label().is_none()) {
            tally.add(sample, 0);
        }
        for source in sources {
            source.collect(&mut tally);
        }
        let mut families = self.own_families();
        families.extend(self.offer_seconds.collect());
        families.extend(self.probe_seconds.collect());
        families.extend(tally_families(&tally));
        TextEncoder::new()
            .encode_to_string(&families)
            .expect("every family has a name and at least one metric")
    }

    fn own_families(&self) -> Vec<MetricFamily> {
        let version = label_pair("version", env!("CARGO_PKG_VERSION"));
        let build = metric(Kind::Gauge, Some(version), 1.0);
        let start = metric(Kind::Gauge, None, self.started.as_secs_f64());
        vec![
            family(Kind::Gauge, "voxhall_build_info", "1, for the version that runs.", vec![build]),
            family(Kind::Gauge, "voxhall_start_time_seconds", START_HELP, vec![start]),
        ]
    }
}

impl Sink for Tally {
    fn add(&mut self, sample: Sample, value: u64) {
        let sum = self.entry(sample).or_insert(0);
        *sum = sum.saturating_add(value);
    }
}

/// One family after the other; the samples of one stand together, as they are ordered.
fn tally_families(tally: &Tally) -> Vec<MetricFamily> {
    let mut families: Vec<MetricFamily> = Vec::new();
    for (sample, value) in tally {
        let Family { name, help, kind } = sample.family();
        let label = sample.label().map(|(key, value)| label_pair(key, value));
        // Exact up to 2^53, as the text format's numbers are doubles anyway.
        let metric = metric(kind, label, *value as f64);
        match families.last_mut() {
            Some(last) if last.name() == name => last.mut_metric().push(metric),
            _ => families.push(family(kind, name, help, vec![metric])),
        }
    }
    families
}

fn histogram(name: &str, help: &str, buckets: &[f64]) -> Histogram {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    Histogram::with_opts(options).expect("a constant name and rising buckets")
}

fn family(kind: Kind, name: &str, help: &str, metrics: Vec<proto::Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(match kind {
        Kind::Gauge => MetricType::GAUGE,
        Kind::Counter => MetricType::COUNTER,
    });
    family.set_metric(metrics);
    family
}

fn metric(kind: Kind, label: Option<LabelPair>, value: f64) -> proto::Metric {
    let mut metric = proto::Metric::default();
    metric.set_label(label.into_iter().collect());
    match kind {
        Kind::Gauge => {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        Kind::Counter => {
            let mut counter = proto::Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        }
    }
    metric
}

fn label_pair(key: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(key.to_owned());
    pair.set_value(value.to_owned());
    pair
}

const OFFER_HELP: &str = "Seconds from an offer read to its answer handed to the socket.";
const PROBE_HELP: &str =
    "Seconds of a call to itself, from its beginning to the first voice heard.";
const START_HELP: &str = "Start of this process, unix seconds.";

/// The aim is 10 ms for offer, keys and first voice together; beyond 1 s a person notices.
const OFFER_BUCKETS_S: [f64; 9] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0];

/// Two connections of a client's stack take about a tenth of a second; beyond 5 s it is given up.
const PROBE_BUCKETS_S: [f64; 7] = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

#[cfg(test)]
mod tests;
