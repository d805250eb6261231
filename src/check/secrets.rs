//! Secrets and certificates: whether they can be guessed, read by others, or run out.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::parse_x509_certificate;

use super::{Finding, count, fail, ok, warn};
use crate::config::Config;
use crate::core::tokens::Keys;
use crate::signal;

const WHAT: &str = "secrets";
const CERTIFICATE: &str = "certificate";

pub fn check(config: &Config, file: Option<&Path>) -> Vec<Finding> {
    let mut found = Vec::new();
    let core = &config.core;
    let named = [
        ("core.secret", core.secret.as_str()),
        ("core.webhook_secret", core.webhook_secret.as_str()),
        ("admin.token", config.admin.token.as_str()),
        ("turn.secret", config.turn.secret.as_str()),
    ];
    let tokens = config.clients.secrets.iter().map(|secret| ("clients.secrets", secret.as_str()));
    for (key, secret) in named.into_iter().chain(tokens).filter(|(_, secret)| !secret.is_empty()) {
        found.push(match weakness(secret) {
            None => ok(WHAT, format!("{key} is long and varied")),
            Some(why) => fail(WHAT, format!("{key} {why}: openssl rand -hex 32 makes a good one")),
        });
    }
    let clients = &config.clients;
    if let Err(fault) = Keys::read(&clients.secrets, &clients.public_keys, &clients.audience) {
        found.push(fail(WHAT, fault));
    }
    found.extend(file.and_then(open_to_all));
    let http = &config.http;
    let pairs = [("http", &http.cert, &http.key), ("core", &core.cert, &core.key)];
    for (section, cert, key) in pairs {
        if !cert.as_os_str().is_empty() {
            found.extend(certificate(section, cert, key));
        }
    }
    if found.is_empty() {
        found.push(ok(WHAT, "there are none to keep"));
    }
    found
}

/// Why a secret could be guessed. 128 bits are asked for; how much chance is in a text nobody can
/// tell, but what no chance would make can be.
fn weakness(secret: &str) -> Option<String> {
    if secret.len() < SECRET_BYTES {
        return Some(format!("has {} of {SECRET_BYTES} characters", secret.len()));
    }
    let kinds = secret.bytes().collect::<BTreeSet<u8>>().len();
    if kinds < SECRET_KINDS {
        return Some(format!("consists of {}", count(kinds as u64, "different character")));
    }
    let is_repeated = |length: &usize| {
        let bytes = secret.as_bytes();
        bytes.iter().zip(bytes.iter().skip(*length)).all(|(one, other)| one == other)
    };
    let part = (1..=secret.len() / 2).find(is_repeated)?;
    Some(format!("is a part of {} over and over", count(part as u64, "character")))
}

/// The configuration file holds a secret that everybody on this machine can read.
fn open_to_all(file: &Path) -> Option<Finding> {
    let text = fs::read_to_string(file).ok()?;
    let key = text.lines().find_map(secret_key)?;
    let name = file.display();
    Some(match readable(file) {
        false => ok(WHAT, format!("{name} holds {key} and only its owner and group can read it")),
        true => fail(
            WHAT,
            format!(
                "{name} holds {key} and everybody on this machine can read it: chmod 640, or put \
                 it into its variable"
            ),
        ),
    })
}

/// The key of a secret that has a value on this line of a configuration file.
fn secret_key(line: &str) -> Option<&'static str> {
    KEYS.into_iter().find(|key| {
        // Also in the middle, as of a server in a list.
        line.match_indices(key).any(|(at, _)| {
            let is_inner = line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let comment = line[..at].contains('#');
            let value = line[at + key.len()..].trim_start().strip_prefix('=');
            let value = value.map(|value| value.trim_start().trim_start_matches(['[', '"', '\'']));
            !is_inner && !comment && value.is_some_and(|it| it.starts_with(char::is_alphanumeric))
        })
    })
}

fn readable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|it| it.permissions().mode() & 0o004 != 0)
}

fn certificate(section: &str, cert: &Path, key: &Path) -> Vec<Finding> {
    // Whether they belong together is the same question for a client's.
    if let Err(fault) = signal::of_files(cert, key, None) {
        let text = format!("{section}.cert and {section}.key cannot be used: {fault}");
        return vec![fail(CERTIFICATE, text)];
    }
    let name = cert.display();
    let end = CertificateDer::from_pem_file(cert).ok().and_then(|der| ends_at(&der));
    let now =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    let mut found = vec![match end {
        Some(end) => judge_end(&name.to_string(), now, end),
        None => warn(CERTIFICATE, format!("{name} does not say when it ends")),
    }];
    if readable(key) {
        let text = format!("{} can be read by everybody on this machine: chmod 640", key.display());
        found.push(fail(CERTIFICATE, text));
    }
    found
}

/// Unix seconds.
fn ends_at(der: &[u8]) -> Option<i64> {
    let (_, certificate) = parse_x509_certificate(der).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

fn judge_end(name: &str, now: i64, end: i64) -> Finding {
    const DAY_S: i64 = 24 * 60 * 60;
    let days = (end - now).div_euclid(DAY_S);
    match days {
        _ if end <= now => fail(CERTIFICATE, format!("{name} has ended: renew it, then SIGHUP")),
        ..RENEW_DAYS => warn(CERTIFICATE, format!("{name} ends within {days} days: renew it")),
        _ => ok(CERTIFICATE, format!("{name} holds for {days} days more")),
    }
}

/// As the link and the webhook ask.
const SECRET_BYTES: usize = 32;

/// Of 32 hexadecimal digits by chance, fewer than 8 different ones come once in a hundred thousand.
const SECRET_KINDS: usize = 8;

/// Whoever renews by himself does so 30 days before: then it has failed for two weeks.
const RENEW_DAYS: i64 = 14;

/// What must not be read by others.
const KEYS: [&str; 6] =
    ["secret_access_key", "webhook_secret", "credential", "secrets", "secret", "token"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict::{Fail, Ok, Warn};

    #[test]
    fn a_secret_that_chance_would_not_make_is_weak() {
        let weak = |text: &str| weakness(text).unwrap_or_default();
        assert_eq!(weak("3f9c1e0a7b5d48269f01c3e8a4b7d652"), "");
        assert_eq!(weak("short"), "has 5 of 32 characters");
        assert_eq!(weak(&"x".repeat(32)), "consists of 1 different character");
        assert_eq!(weak(&"0123456789abcdef".repeat(2)), "is a part of 16 characters over and over");
        assert!(weak(&"changeme".repeat(5)).contains("different characters"));
    }

    #[test]
    fn a_secret_in_a_file_is_found_and_one_that_is_empty_or_a_comment_is_not() {
        for (line, key) in [
            ("secret = \"abc\"", Some("secret")),
            ("webhook_secret=\"abc\"", Some("webhook_secret")),
            ("ice_servers = [{ urls = \"turn:a\", credential = \"b\" }]", Some("credential")),
            ("secret_access_key = 'abc'", Some("secret_access_key")),
            ("secret = \"\"", None),
            ("# secret = \"abc\"", None),
            ("is_secret = \"abc\"", None),
        ] {
            assert_eq!(secret_key(line), key, "{line}");
        }
    }

    #[test]
    fn a_certificate_that_ends_soon_is_warned_of_and_one_that_has_fails() {
        let day = 86_400;
        let judge = |days: i64| judge_end("c", 1_000 * day, (1_000 + days) * day).verdict;
        assert_eq!(
            [judge(90), judge(14), judge(13), judge(0), judge(-1)],
            [Ok, Ok, Warn, Fail, Fail]
        );
    }
}
