//! Logs: one subscriber for the process, on **stderr**; stdout belongs to the line that says
//! where the server listens.
//!
//! Our own crates are logged at the configured level. Everybody else's lines stay at `warn`:
//! dependencies write addresses, certificates and descriptions into their debug lines.

mod pace;
pub mod traces;

use pace::Paced;
pub use pace::{PACE, tell_left_out};

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::{SetGlobalDefaultError, set_global_default};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;

use crate::config::{Log, LogFormat, LogLevel};

/// A value that a log line may name but not show: SDP, tokens, keys, addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Redacted<T>(pub T);

/// How much is logged, for whoever may change it while the process runs.
#[derive(Clone, Debug)]
pub struct Verbosity {
    level: Arc<Mutex<LogLevel>>,
    filter: reload::Handle<Targets, Registry>,
}

impl Verbosity {
    pub fn level(&self) -> LogLevel {
        // A level is whole whatever happened to whoever held it.
        *self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// The subscriber is gone.
    pub fn set(&self, level: LogLevel) -> Result<(), reload::Error> {
        let mut held = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        self.filter.reload(filter(level))?;
        *held = level;
        Ok(())
    }
}

/// Sends the process's log lines to stderr from here on.
///
/// # Errors
/// Somebody set a subscriber before.
pub fn init(log: &Log) -> Result<Verbosity, SetGlobalDefaultError> {
    let (subscriber, verbosity) = subscriber(log, io::stderr);
    set_global_default(subscriber)?;
    Ok(verbosity)
}

/// The subscriber of [`init`], writing wherever it is told.
pub fn subscriber<W>(log: &Log, writer: W) -> (Box<dyn Subscriber + Send + Sync>, Verbosity)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(filter(log.level));
    let verbosity = Verbosity { level: Arc::new(Mutex::new(log.level)), filter: handle };
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer);
    let subscriber: Box<dyn Subscriber + Send + Sync> = match log.format {
        LogFormat::Text => {
            let lines = lines.map_event_format(paced);
            Box::new(Registry::default().with(lines.with_filter(filter)))
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(false);
            let lines = lines.map_event_format(paced);
            Box::new(Registry::default().with(lines.with_filter(filter)))
        }
    };
    (subscriber, verbosity)
}

tokio::task_local! {
    static QUIET: ();
}

/// Runs something of which no line is written. Not by a subscriber of none: whichever place in the
/// code it reaches first would be off for everybody, for good (tracing-core 0.1).
pub async fn quiet<T>(deed: impl Future<Output = T>) -> T {
    QUIET.scope((), deed).await
}

fn is_quiet() -> bool {
    QUIET.try_with(|()| ()).is_ok()
}

fn paced<F>(format: F) -> Paced<F> {
    Paced { pace: &PACE, format }
}

fn filter(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(env!("CARGO_CRATE_NAME"), level)
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing::{debug, info, subscriber::with_default};

    use super::*;

    /// What was written, kept for the test.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(level: LogLevel, format: LogFormat, act: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let (subscriber, _) = subscriber(&Log { level, format }, move || writer.clone());
        with_default(subscriber, act);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn a_quiet_deed_writes_nothing_and_its_lines_are_written_for_others() {
        let page = Page::default();
        let writer = page.clone();
        let log = Log { level: LogLevel::Info, format: LogFormat::Text };
        let (subscriber, _) = subscriber(&log, move || writer.clone());
        let deed = |who: &'static str| async move { info!(who, "call began") };
        let _here = tracing::subscriber::set_default(subscriber);
        quiet(deed("probe")).await;
        deed("people").await;
        let lines = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert!(lines.contains("people") && !lines.contains("probe"), "{lines}");
    }

    #[test]
    fn redacted_value_is_in_no_line() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = written(LogLevel::Trace, format, || {
                let token = Redacted("s3cret");
                info!(%token, debug = ?Some(token), "socket opened");
            });
            assert!(lines.contains("socket opened"), "{lines}");
            assert!(lines.contains("[redacted]"), "{lines}");
            assert!(!lines.contains("s3cret"), "{lines}");
        }
    }

    #[test]
    fn json_line_is_one_object_with_its_fields_at_the_top() {
        let line = written(LogLevel::Info, LogFormat::Json, || info!(leg = 7, "leg closed"));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["message"], "leg closed");
        assert_eq!(value["leg"], 7);
        assert_eq!(value["level"], "INFO");
    }

    #[test]
    fn line_below_the_level_is_not_written() {
        let lines = written(LogLevel::Info, LogFormat::Text, || {
            debug!("signal read");
            info!("call began");
        });
        assert!(lines.contains("call began") && !lines.contains("signal read"), "{lines}");
    }

    #[test]
    fn level_that_is_set_later_holds_for_what_is_written_from_then_on() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let page = Page::default();
            let writer = page.clone();
            let log = Log { level: LogLevel::Info, format };
            let (subscriber, verbosity) = subscriber(&log, move || writer.clone());
            with_default(subscriber, || {
                debug!("before");
                verbosity.set(LogLevel::Debug).unwrap();
                debug!("meanwhile");
                verbosity.set(LogLevel::Error).unwrap();
                info!("after");
            });
            assert_eq!(verbosity.level(), LogLevel::Error);
            let lines = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
            assert!(lines.contains("meanwhile"), "{lines}");
            assert!(!lines.contains("before") && !lines.contains("after"), "{lines}");
        }
    }

    #[test]
    fn chatter_of_dependencies_is_not_written_at_any_level() {
        let lines = written(LogLevel::Trace, LogFormat::Text, || {
            tracing::debug!(target: "somebody::else", "peer address 192.0.2.1");
            tracing::warn!(target: "somebody::else", "certificate expires");
        });
        assert!(!lines.contains("192.0.2.1"), "{lines}");
        assert!(lines.contains("certificate expires"), "{lines}");
    }
}
