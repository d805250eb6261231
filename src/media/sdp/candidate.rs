//! Candidates that a client trickles: looked at for their form only. A lite server never sends to
//! an address that a client wrote, and never resolves a name in one.

use std::net::IpAddr;

use super::media::is_token;
use super::section::decimal;
use super::transport::is_ice_text;

/// The text of a candidate is well formed (RFC 8839 section 5.1), with or without `a=` before it.
/// Empty, which ends the candidates in signalling, is no candidate.
pub fn candidate_ok(line: &str) -> bool {
    let line = line.strip_prefix("a=").unwrap_or(line);
    let Some(value) = line.strip_prefix("candidate:") else {
        return false;
    };
    line.len() <= CANDIDATE_BYTES_MAX && is_candidate(value).is_some()
}

/// `foundation component transport priority address port typ type (name value)*`
fn is_candidate(value: &str) -> Option<()> {
    let mut words = value.split(' ');
    let mut next = |is_good: &dyn Fn(&str) -> bool| words.next().filter(|word| is_good(word));
    next(&|foundation| is_ice_text(foundation, 1, 32))?;
    next(&|component| decimal(component).is_some_and(|n| (1..=256).contains(&n)))?;
    next(&is_token)?;
    next(&|priority| decimal(priority).is_some_and(|n| (1..=i32::MAX as u32).contains(&n)))?;
    next(&is_address)?;
    next(&|port| decimal(port).is_some_and(|n| n <= u32::from(u16::MAX)))?;
    next(&|word| word == "typ")?;
    next(&is_token)?;
    let rest: Vec<&str> = words.collect();
    let is_printable = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic());
    (rest.len().is_multiple_of(2) && rest.iter().all(is_printable)).then_some(())
}

/// An IP address or the form of a host name, such as the mDNS names of browsers.
fn is_address(word: &str) -> bool {
    let is_name_char = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let is_name = (1..=253).contains(&word.len()) && word.bytes().all(is_name_char);
    is_name || word.parse::<IpAddr>().is_ok()
}

/// A browser's longest has about 250 bytes; a ufrag of 256 may be inside.
const CANDIDATE_BYTES_MAX: usize = 1024;
