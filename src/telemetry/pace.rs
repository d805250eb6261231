//! How many lines one cause may write: [`LOG_LINES_PER_S`] a second from one place in the code.
//! What is beyond is counted, and [`tell_left_out`] says each second how much that was, so that
//! neither a stranger nor a bug can fill a disk with one line.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Metadata, Subscriber, warn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::limits::LOG_LINES_PER_S;

/// The process's.
pub static PACE: Pace = Pace::new();

/// Lines by the place that writes them: as many as there are in the code.
pub struct Pace(Mutex<Option<Sites>>);

#[derive(Default)]
struct Sites {
    by_place: HashMap<Identifier, Site>,
    left_out: u64,
}

struct Site {
    second_began: Instant,
    lines: u32,
    /// Not yet told.
    left_out: u64,
    of: &'static Metadata<'static>,
}

impl Pace {
    pub const fn new() -> Pace {
        Pace(Mutex::new(None))
    }

    /// Whether the place may write one more line now.
    pub fn admits(&self, of: &'static Metadata<'static>, now: Instant) -> bool {
        let mut sites = self.sites();
        let sites = sites.get_or_insert_default();
        let fresh = Site { second_began: now, lines: 0, left_out: 0, of };
        let site = sites.by_place.entry(of.callsite()).or_insert(fresh);
        if now.saturating_duration_since(site.second_began) >= Duration::from_secs(1) {
            (site.second_began, site.lines) = (now, 0);
        }
        let admitted = site.lines < LOG_LINES_PER_S;
        if admitted {
            site.lines += 1;
        } else {
            site.left_out += 1;
            sites.left_out += 1;
        }
        admitted
    }

    /// What was left out and not told yet: where, and how many lines.
    pub fn take_left_out(&self) -> Vec<(&'static Metadata<'static>, u64)> {
        let mut sites = self.sites();
        let sites = sites.iter_mut().flat_map(|sites| sites.by_place.values_mut());
        let untold = sites.filter(|site| site.left_out > 0);
        untold.map(|site| (site.of, std::mem::take(&mut site.left_out))).collect()
    }

    /// Lines left out since the start.
    pub fn left_out(&self) -> u64 {
        self.sites().as_ref().map_or(0, |sites| sites.left_out)
    }

    fn sites(&self) -> MutexGuard<'_, Option<Sites>> {
        // Whole between any two lines.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes lines as `format` does, as many as [`Pace`] admits. Not a filter of the subscriber's:
/// one that refuses an event, not a place for good, leaves its bit behind there, and everybody's
/// next line is lost with it (tracing-subscriber 0.3).
pub struct Paced<F> {
    pub pace: &'static Pace,
    pub format: F,
}

impl<S, N, F> FormatEvent<S, N> for Paced<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match !super::is_quiet() && self.pace.admits(event.metadata(), Instant::now()) {
            true => self.format.format_event(context, writer, event),
            false => Ok(()),
        }
    }
}

/// Says each second what was left out, for as long as the process runs.
pub async fn tell_left_out() {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        for (of, lines) in PACE.take_left_out() {
            warn!(cause = of.name(), lines, "log lines left out");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use tracing::callsite::Callsite;
    use tracing::{callsite, info};
    use tracing_subscriber::layer::{Layer, SubscriberExt};

    use super::*;

    fn places() -> [&'static Metadata<'static>; 2] {
        let one = callsite! { name: "one", kind: tracing::metadata::Kind::EVENT, fields: };
        let other = callsite! { name: "other", kind: tracing::metadata::Kind::EVENT, fields: };
        [one.metadata(), other.metadata()]
    }

    #[test]
    fn a_place_has_its_lines_each_second_and_not_one_more() {
        let (pace, now, [one, other]) = (Pace::new(), Instant::now(), places());
        let written = |of, at, lines: u32| (0..lines).filter(|_| pace.admits(of, at)).count();
        assert_eq!(written(one, now, LOG_LINES_PER_S), LOG_LINES_PER_S as usize);
        assert_eq!((pace.left_out(), pace.take_left_out()), (0, vec![]));
        assert!(!pace.admits(one, now + Duration::from_millis(999)));
        assert!(pace.admits(other, now), "another place has its own");
        assert_eq!(pace.take_left_out(), [(one, 1)]);
        assert!(pace.take_left_out().is_empty(), "it is told once");
        let next = now + Duration::from_secs(1);
        assert_eq!(written(one, next, LOG_LINES_PER_S + 1), LOG_LINES_PER_S as usize);
        assert_eq!(pace.left_out(), 2);
    }

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_nobody_reads_spends_nothing_and_a_flood_is_cut() {
        static OWN: Pace = Pace::new();
        let page = Page::default();
        let writer = page.clone();
        let level = tracing_subscriber::filter::Targets::new().with_default(tracing::Level::INFO);
        let lines = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
        let lines = lines.map_event_format(|format| Paced { pace: &OWN, format });
        let lines = lines.with_filter(level);
        let subscriber = tracing_subscriber::registry().with(lines);
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..LOG_LINES_PER_S * 3 {
                tracing::debug!(number, "not read");
                info!(number, "flood");
            }
            info!("another place");
        });
        let written = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert!(written.lines().count() < LOG_LINES_PER_S as usize * 3, "all in a moment");
        let left_out = OWN.take_left_out();
        assert_eq!(left_out.len(), 1, "debug lines are not counted: {left_out:?}");
        assert!(written.contains("another place"), "{written}");
        let all = written.lines().count() as u64 - 1 + left_out[0].1;
        assert_eq!(all, u64::from(LOG_LINES_PER_S) * 3);
    }
}
