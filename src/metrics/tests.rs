use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// A source of made-up numbers.
struct Worker(Vec<(Sample, u64)>);

impl Source for Worker {
    fn collect(&self, sink: &mut dyn Sink) {
        for (sample, value) in &self.0 {
            sink.add(*sample, *value);
        }
    }
}

/// The text read back: what Prometheus would make of it.
#[derive(Default)]
struct Page {
    help: BTreeMap<String, String>,
    kind: BTreeMap<String, String>,
    values: BTreeMap<String, f64>,
}

fn read(text: &str) -> Page {
    let mut page = Page::default();
    for line in text.lines() {
        let line = line.trim_end();
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|l| l.split_once(' ')) {
            assert!(page.help.insert(name.into(), help.into()).is_none(), "{name} comes twice");
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' '))
        {
            page.kind.insert(name.into(), kind.into());
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("bad: {line}"));
            let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            assert!(page.values.insert(series.into(), value).is_none(), "{series} comes twice");
        }
    }
    page
}

/// A page with a number in every family.
fn full_page() -> Page {
    let worker = Worker(Sample::EACH.into_iter().map(|sample| (sample, 1)).collect());
    read(&Metrics::new(SystemTime::now()).render(&[&worker]))
}

/// What is wrong with a family's name, if anything.
fn misnamed(name: &str, kind: &str) -> Option<&'static str> {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if !name.starts_with("voxhall_") || !name.bytes().all(is_word) {
        return Some("voxhall_ and lower case");
    }
    match (kind, name.ends_with("_total")) {
        ("counter", false) => Some("a counter ends in _total"),
        ("gauge" | "histogram", true) => Some("only a counter ends in _total"),
        ("histogram", _) if !name.ends_with("_seconds") => Some("a time ends in _seconds"),
        ("gauge", _) => {
            let endings = ["s", "_info"];
            let is_plural = endings.iter().any(|ending| name.ends_with(ending));
            (!is_plural).then_some("a gauge is a plural, or ends in its unit")
        }
        _ => None,
    }
}

#[test]
fn every_family_has_help_and_a_kind() {
    let page = full_page();
    assert_eq!(page.help.keys().collect::<Vec<_>>(), page.kind.keys().collect::<Vec<_>>());
    for (name, help) in &page.help {
        assert!(help.len() > 10 && help.ends_with('.'), "{name}: {help}");
    }
    for series in page.values.keys() {
        let name = series.split('{').next().unwrap_or(series);
        let endings = ["", "_bucket", "_sum", "_count"];
        let is_described = endings
            .iter()
            .filter_map(|ending| name.strip_suffix(ending))
            .any(|family| page.help.contains_key(family));
        assert!(is_described, "{series} has no help");
    }
}

#[test]
fn every_family_is_named_by_the_rules() {
    for (name, kind) in &full_page().kind {
        assert_eq!(misnamed(name, kind), None, "{name} ({kind})");
    }
}

#[test]
fn misnamed_families_are_noticed() {
    let wrong = [
        ("voxhall_sessions_total", "gauge"),
        ("voxhall_packets", "counter"),
        ("voxhall_connection_time", "histogram"),
        ("voxhall_call", "gauge"),
        ("rtp_received_total", "counter"),
        ("voxhall_Calls", "gauge"),
    ];
    for (name, kind) in wrong {
        assert!(misnamed(name, kind).is_some(), "{name} ({kind})");
    }
}

#[test]
fn each_lists_every_family_once() {
    let names: BTreeSet<_> = Sample::EACH.iter().map(|sample| sample.family().name).collect();
    let [families, posts] = [include_str!("families.rs"), include_str!("posts.rs")];
    let [probes, tapes] = [include_str!("probes.rs"), include_str!("tapes.rs")];
    let [doors, together] = [include_str!("doors.rs"), include_str!("together.rs")];
    let files = [families, posts, probes, tapes, doors, together];
    let written: usize = files.map(|file| file.matches("\"voxhall_").count()).iter().sum();
    assert_eq!((names.len(), written), (Sample::EACH.len(), Sample::EACH.len()));
}

#[test]
fn numbers_of_all_sources_are_added_up() {
    let metrics = Metrics::new(SystemTime::now());
    metrics.count(Sample::Refusals("too_fast"));
    metrics.count(Sample::Refusals("too_fast"));
    let one = Worker(vec![(Sample::RtpForwarded, 40), (Sample::RtpDiscarded("late"), 1)]);
    let two = Worker(vec![(Sample::RtpForwarded, 2), (Sample::RtpDiscarded("muted"), 0)]);
    let page = read(&metrics.render(&[&one, &two]));
    assert_eq!(page.values["voxhall_rtp_forwarded_total"], 42.0);
    assert_eq!(page.values["voxhall_rtp_discarded_total{reason=\"late\"}"], 1.0);
    assert_eq!(page.values["voxhall_rtp_discarded_total{reason=\"muted\"}"], 0.0);
    assert_eq!(page.values["voxhall_refusals_total{code=\"too_fast\"}"], 2.0);
}

#[test]
fn scrape_counts_nothing_twice() {
    let metrics = Metrics::new(SystemTime::now());
    metrics.count(Sample::Signals("client.ping"));
    let worker = Worker(vec![(Sample::RtpReceived, 7)]);
    assert_eq!(metrics.render(&[&worker]), metrics.render(&[&worker]));
}

#[test]
fn unlabelled_numbers_are_there_from_the_start() {
    let page = read(&Metrics::new(SystemTime::now()).render(&[]));
    for sample in Sample::EACH.into_iter().filter(|sample| sample.label().is_none()) {
        assert_eq!(page.values.get(sample.family().name), Some(&0.0), "{sample:?}");
    }
}

#[test]
fn version_and_start_of_the_process_are_told() {
    let start = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
    let page = read(&Metrics::new(start).render(&[]));
    assert_eq!(page.values["voxhall_start_time_seconds"], 1_700_000_000.25);
    let build = concat!("voxhall_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}");
    assert_eq!(page.values[build], 1.0);
}

#[test]
fn offers_are_counted_by_how_long_they_took() {
    let metrics = Metrics::new(SystemTime::now());
    metrics.offer_answered(Duration::from_millis(4));
    metrics.offer_answered(Duration::from_millis(40));
    let page = read(&metrics.render(&[]));
    assert_eq!(page.values["voxhall_offer_seconds_count"], 2.0);
    assert_eq!(page.values["voxhall_offer_seconds_bucket{le=\"0.005\"}"], 1.0);
    assert_eq!(page.values["voxhall_offer_seconds_bucket{le=\"0.1\"}"], 2.0);
}
