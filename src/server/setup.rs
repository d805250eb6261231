//! From the configuration to what the parts of the node take.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use engine::call::Rules;
use serde_json::{Value, json};

use super::Fault;
use crate::call_task::Shared;
use crate::clock::{self, Clock};
use crate::config::{self, Answer, Config};
use crate::core::sockets::SocketOptions;
use crate::core::sockets::bucket::Pace;
use crate::core::tokens::{KeyFault, Keys, Tokens};
use crate::core::{AnswerStyle, ChatCore};
use crate::limits::{STRANGER_WAIT_MAX, STRANGERS_PER_ADDRESS};
use crate::media::{BundleSpec, Pool, PoolSpec, sdp};
use crate::metrics::Metrics;
use crate::outbox::{Fact, Outbox};
use crate::record::archive::Retention;
use crate::record::line::ChatName;
use crate::record::report::Report;
use crate::record::{Recorder, Recordings};
use crate::registry::OfferLimits;
use crate::signal::{GateLimits, Options, per_minute};
use crate::wire::http::{Features, IceServer};

/// What a call needs of the others.
pub struct Others {
    pub core: Arc<dyn ChatCore>,
    pub outbox: Option<Arc<Outbox>>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub recorder: Option<Arc<Recorder>>,
}

fn bundles(media: &config::Media) -> BundleSpec {
    BundleSpec {
        listeners_40: media.bundle_40ms_from as usize,
        listeners_60: media.bundle_60ms_from as usize,
        busy_percent_60: media.bundle_60ms_busy_percent.into(),
        loss_percent: media.bundle_loss_percent.into(),
    }
}

pub fn shared(config: &Config, others: Others) -> Result<Shared, Fault> {
    let Others { core, outbox, metrics, clock, recorder } = others;
    let interfaces = config::interfaces().map_err(Fault::Addresses)?;
    let pool = Pool::start(&PoolSpec {
        advertised: config::advertised(&config.media, &interfaces),
        bind: config.media.bind.first().copied(),
        port: config.media.port,
        workers: config.media.workers.count().get().into(),
        silent_after: config.call.media_lost_shown,
        clock,
        tap: recorder.as_ref().map(|recorder| recorder.tap()),
        bundles: bundles(&config.media),
    })?;
    let pool = Arc::new(pool);
    let call = &config.call;
    let rules = Rules {
        participants_max: call.max_participants.get() as usize,
        slots_max: usize::from(call.slots_max.get()).min(engine::limits::SLOTS_HARD_MAX),
        only_one_device: call.only_one_device,
        buzz_timeout: call.buzz_timeout,
        lost_grace: call.media_lost_removed.saturating_sub(call.media_lost_shown),
        connect_timeout: call.media_lost_removed,
        socketless_max: call.socketless_max,
        record_auto: config.record.enabled && config.record.auto,
    };
    let sdp = sdp::Limits {
        bytes: config.sdp.bytes.get(),
        lines: config.sdp.lines.get(),
        line_bytes: config.sdp.line_bytes.get(),
        sections: rules.slots_max + SECTIONS_BESIDE_SLOTS,
        formats: config.sdp.formats.get(),
        extmaps: config.sdp.extmaps.get(),
        candidates: config.sdp.candidates.get(),
    };
    let (legs, check_fingerprint) = (AtomicU64::new(1), config.signal.check_fingerprint);
    Ok(Shared { core, outbox, pool, recorder, clock, rules, sdp, check_fingerprint, metrics, legs })
}

pub fn recordings(
    config: &Config,
    clock: Clock,
    outbox: Option<Arc<Outbox>>,
) -> Result<Option<Arc<Recordings>>, Fault> {
    let record = &config.record;
    let started = || {
        let folder = record.folder(&config.data);
        Recordings::start(record, &config.archive, (folder, clock), tell_finished(outbox.clone()))
    };
    Ok(record.enabled.then(started).transpose()?.map(Arc::new))
}

/// The core hears of each recording that is ready.
fn tell_finished(outbox: Option<Arc<Outbox>>) -> Box<dyn Fn(&Report) + Send> {
    Box::new(move |report| {
        let Some(outbox) = &outbox else { return };
        outbox.put(Fact {
            call: Arc::from(report.call.as_str()),
            at: clock::wall().as_nanos(),
            kind: "recording_finished",
            // Of a call that is not known any more; else they stand there.
            team: json!({ "uid": "", "name": "" }),
            chat: chat_of(&report.chat),
            actor: None,
            details: json!({ "id": report.id, "duration_ms": report.duration_ms }),
            opens: false,
            ends: false,
        });
    })
}

/// As docs/core.md has a chat; how people are called is not known any more.
fn chat_of(chat: &ChatName) -> Value {
    match chat.kind.as_str() {
        "direct" => {
            let person = |jid: &String| json!({ "jid": jid, "display_name": "" });
            json!({ "type": "direct", "people": chat.jids.iter().map(person).collect::<Vec<_>>() })
        }
        _ => {
            let (jid, name) = (chat.jids.first(), &chat.display_name);
            json!({ "type": "group", "jid": jid, "display_name": name })
        }
    }
}

pub fn retention(config: &Config) -> Retention {
    let bytes = config.record.keep_gib.saturating_mul(1024 * 1024 * 1024);
    Retention { days: config.record.keep_days, bytes }
}

/// Sections that a client may offer beside those for voices: video and data, refused.
const SECTIONS_BESIDE_SLOTS: usize = 8;

pub fn offer_limits(config: &Config) -> OfferLimits {
    let signal = &config.signal;
    OfferLimits {
        pace: Pace::new(signal.offers_per_s.get(), signal.offers_burst.get()),
        candidates_max: config.sdp.candidates.get(),
    }
}

pub fn gate_limits(config: &Config) -> GateLimits {
    let http = &config.http;
    let requests = http.requests_per_s.get();
    GateLimits {
        connections_max: http.connections_max.get(),
        strangers_max: http.strangers_max.get(),
        strangers_per_address: STRANGERS_PER_ADDRESS,
        wait: STRANGER_WAIT_MAX,
        failures: per_minute(http.wrong_tokens_per_min.get()),
        requests: Pace::new(requests, requests),
        proxies: http.proxies.clone(),
    }
}

pub fn socket_options(config: &Config) -> SocketOptions {
    SocketOptions {
        sockets_per_person_max: config.signal.sockets_per_user.get(),
        ..SocketOptions::default()
    }
}

/// Whose tokens let people in; `None` where nobody's do.
pub fn tokens(config: &Config) -> Result<Option<Arc<Tokens>>, KeyFault> {
    let keys = config.clients.has_keys().then(|| keys(config)).transpose()?;
    Ok(keys.map(|keys| Arc::new(Tokens::new(keys))))
}

pub fn keys(config: &Config) -> Result<Keys, KeyFault> {
    let clients = &config.clients;
    Keys::read(&clients.secrets, &clients.public_keys, &clients.audience)
}

pub fn options(config: &Config) -> Options {
    let signal = &config.signal;
    Options {
        origins: config.http.origins.clone(),
        default_answer: match signal.default_answer {
            Answer::Sdp => AnswerStyle::Sdp,
            Answer::Answer => AnswerStyle::Answer,
        },
        message_bytes: signal.message_bytes.get(),
        pace: Pace::new(signal.messages_per_s.get(), signal.messages_burst.get()),
        features: features(config),
        turn: config.turn.clone(),
    }
}

fn features(config: &Config) -> Features {
    let servers = config.features.ice_servers.iter().map(|server| IceServer {
        urls: server.urls.clone(),
        username: server.username.clone(),
        credential: server.credential.clone(),
    });
    let policy = match config.features.ice_transport_policy {
        config::IceTransportPolicy::All => None,
        config::IceTransportPolicy::Relay => Some("relay".to_owned()),
    };
    Features {
        ice_servers: servers.collect(),
        ice_transport_policy: policy,
        calls_record: config.record.enabled,
        mobile_calls: config.features.mobile_calls,
        only_one_device_per_call: config.call.only_one_device,
        max_participants_per_call: config.call.max_participants.get() as usize,
        resend_timeout: config.signal.resend_timeout.as_secs(),
        ..Features::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_that_is_known_by_its_recording_alone_has_the_form_of_any_other() {
        let chat = |kind: &str, jids: &[&str]| ChatName {
            kind: kind.to_owned(),
            jids: jids.iter().map(|jid| (*jid).to_owned()).collect(),
            display_name: "Tea".to_owned(),
        };
        let group = json!({ "type": "group", "jid": "g-1", "display_name": "Tea" });
        assert_eq!(chat_of(&chat("group", &["g-1"])), group);
        let person = |jid: &str| json!({ "jid": jid, "display_name": "" });
        let pair = json!({ "type": "direct", "people": [person("d-1"), person("d-2")] });
        assert_eq!(chat_of(&chat("direct", &["d-1", "d-2"])), pair);
    }
}
