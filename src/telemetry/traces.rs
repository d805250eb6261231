//! Traces: how long each part of a signal's way took, and of a leg's way to its first voice, for
//! a collector that speaks OTLP over HTTP, in its JSON form (OpenTelemetry protocol 1.x).
//!
//! Spans are made after the fact, of moments that somebody noted anyway: nothing is open while
//! a call goes on, and where no collector is set nothing is made. Written here, as it is four
//! structures of one document: the SDK would bring a dozen crates, a thread and its own queue.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::clock;
use crate::config;
use crate::hex;
use crate::limits::{TRACE_ANSWER_MAX, TRACE_GATHERS, TRACES_A_POST, TRACES_MAX};

/// One way, whole, with its parts: labels and ids of ours alone, never a person or what he said.
pub struct Trace {
    pub name: &'static str,
    pub call: Arc<str>,
    /// The client's event, or what the way ends with.
    pub event: &'static str,
    pub leg: Option<u64>,
    /// Why it came to nothing.
    pub failed: Option<&'static str>,
    pub from: Instant,
    pub to: Instant,
    pub parts: Vec<Part>,
}

pub struct Part {
    pub name: &'static str,
    pub from: Instant,
    pub to: Instant,
}

/// Why traces cannot be brought.
#[derive(Debug, thiserror::Error)]
#[error("trace.otlp_url: {0}")]
pub struct TraceFault(String);

static QUEUE: OnceLock<mpsc::Sender<Trace>> = OnceLock::new();
static LOST: AtomicU64 = AtomicU64::new(0);

/// Brings traces from here on, where a collector is set.
///
/// # Errors
/// Its address is none, or the machine has no roots to trust.
pub fn start(section: &config::Trace) -> Result<(), TraceFault> {
    if section.otlp_url.is_empty() {
        return Ok(());
    }
    let url = Url::parse(&section.otlp_url).map_err(|no| TraceFault(no.to_string()))?;
    let client = Client::builder().redirect(reqwest::redirect::Policy::none());
    let client = client.timeout(TRACE_ANSWER_MAX).build();
    let client = client.map_err(|no| TraceFault(no.to_string()))?;
    let (queue, inbox) = mpsc::channel(TRACES_MAX);
    // A process has one collector: the first.
    if QUEUE.set(queue).is_ok() {
        tokio::spawn(bring(client, url, inbox));
    }
    Ok(())
}

/// Whether anybody takes traces; before any is made.
pub fn is_on() -> bool {
    QUEUE.get().is_some()
}

/// Never waits: one for which there is no room is lost.
pub fn tell(trace: Trace) {
    if QUEUE.get().is_some_and(|queue| queue.try_send(trace).is_err()) {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

/// Traces that no collector has.
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

async fn bring(client: Client, url: Url, mut inbox: mpsc::Receiver<Trace>) {
    let mut batch = Vec::new();
    let mut is_taken = true;
    while inbox.recv_many(&mut batch, TRACES_A_POST).await > 0 {
        tokio::time::sleep(TRACE_GATHERS).await;
        while batch.len() < TRACES_A_POST
            && let Ok(trace) = inbox.try_recv()
        {
            batch.push(trace);
        }
        let posted = post(&client, &url, &batch).await;
        if posted.is_err() {
            LOST.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
        match (&posted, is_taken) {
            (Ok(()), false) => info!("traces are taken again"),
            (Err(reason), true) => warn!(reason, "traces are not taken, and lost until they are"),
            (Ok(()), true) | (Err(_), false) => {}
        }
        is_taken = posted.is_ok();
        batch.clear();
    }
}

async fn post(client: &Client, url: &Url, batch: &[Trace]) -> Result<(), String> {
    let body = document(batch).to_string();
    let posted = client.post(url.clone()).header(CONTENT_TYPE, "application/json").body(body);
    match posted.send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("the answer is {}", answer.status())),
        // Its address stands in the configuration.
        Err(no) => Err(no.without_url().to_string()),
    }
}

/// `ExportTraceServiceRequest`: ids in hexadecimal digits, 64-bit numbers as text.
fn document(batch: &[Trace]) -> Value {
    let spans: Vec<Value> = batch.iter().flat_map(spans).collect();
    let scope = json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") });
    let resource = json!({ "attributes": [text("service.name", env!("CARGO_PKG_NAME"))] });
    let scoped = json!([{ "scope": scope, "spans": spans }]);
    json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": scoped }] })
}

/// The whole way and, below it, its parts.
fn spans(trace: &Trace) -> Vec<Value> {
    let (id, root) = (id(16), id(8));
    let mut attributes = vec![text("call", &trace.call), text("event", trace.event)];
    attributes.extend(trace.leg.map(|leg| text("leg", &leg.to_string())));
    let span = |name: &str, span: &str, parent: &str, (from, to): (Instant, Instant)| {
        json!({
            "traceId": id, "spanId": span, "parentSpanId": parent, "name": name,
            // Within one service.
            "kind": 1,
            "startTimeUnixNano": nanos_of(from), "endTimeUnixNano": nanos_of(to),
            "attributes": attributes,
        })
    };
    let mut whole = span(trace.name, &root, "", (trace.from, trace.to));
    if let Some(reason) = trace.failed {
        whole["status"] = json!({ "code": 2, "message": reason });
    }
    let parts = trace.parts.iter();
    let parts = parts.map(|part| span(part.name, &self::id(8), &root, (part.from, part.to)));
    std::iter::once(whole).chain(parts).collect()
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// Unix time, as text.
fn nanos_of(moment: Instant) -> String {
    let ago = i64::try_from(moment.elapsed().as_nanos()).unwrap_or(i64::MAX);
    clock::wall().as_nanos().saturating_sub(ago).to_string()
}

/// Random, and never all zeros: of 16 bytes at most.
fn id(bytes: usize) -> String {
    let random = uuid::Uuid::new_v4();
    hex::text(&random.as_bytes()[..bytes])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn parts_are_below_their_whole_and_a_failure_has_its_reason() {
        let from = Instant::now();
        let at = |millis| from + Duration::from_millis(millis);
        let parts = vec![Part { name: "ice", from: at(1), to: at(3) }];
        let (call, failed) = (Arc::from("uid-1"), Some("media_lost"));
        let (name, event) = ("leg", "first_voice");
        let trace = Trace { name, call, event, leg: Some(7), failed, from, to: at(3), parts };
        let document = document(&[trace]);
        let spans = &document["resourceSpans"][0]["scopeSpans"][0]["spans"];
        assert_eq!((&spans[0]["name"], &spans[1]["name"]), (&json!("leg"), &json!("ice")));
        assert_eq!(spans[1]["parentSpanId"], spans[0]["spanId"]);
        assert_eq!(spans[1]["traceId"], spans[0]["traceId"]);
        assert_eq!(spans[0]["traceId"].as_str().map(str::len), Some(32));
        assert_eq!(spans[0]["spanId"].as_str().map(str::len), Some(16));
        assert_eq!(spans[0]["status"], json!({ "code": 2, "message": "media_lost" }));
        assert_eq!(spans[0]["attributes"][0], text("call", "uid-1"));
        assert_eq!(spans[1].get("status"), None);
    }
}
