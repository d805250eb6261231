//! Whether clients can send to the addresses that they are told. Pure: reads no network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Finding, fail, ok, warn};
use crate::config::{Interface, addresses::is_bridge};

const WHAT: &str = "addresses";

/// From where an address can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    World,
    /// RFC 1918, RFC 4193.
    Site,
    /// Behind the provider's NAT (RFC 6598).
    Provider,
    /// Without a zone nobody can use it.
    Link,
    Machine,
}

/// What is to be said of the addresses that clients are told.
pub fn judge(told: &[IpAddr], interfaces: &[Interface], is_contained: bool) -> Vec<Finding> {
    if told.is_empty() {
        let text = "clients are told no address: media.bind lets none in; set media.ip";
        return vec![fail(WHAT, text)];
    }
    if told.iter().all(|ip| reach(*ip) == Reach::Machine) {
        let text = "only 127.0.0.1 is told: nobody beyond this machine can call; set media.ip";
        return vec![warn(WHAT, text)];
    }
    let is_in_world = told.iter().any(|ip| reach(*ip) == Reach::World);
    let judged = |ip: &IpAddr| judge_one(*ip, interfaces, is_in_world, is_contained);
    told.iter().map(judged).collect()
}

fn judge_one(
    ip: IpAddr,
    interfaces: &[Interface],
    is_in_world: bool,
    is_contained: bool,
) -> Finding {
    let on = interfaces.iter().find(|interface| interface.ip == ip);
    if let Some(bridge) = on.filter(|interface| is_bridge(&interface.name)) {
        let text = format!(
            "{ip} is of {}, a bridge inside this machine: nobody outside reaches it; take it out \
             of media.ip",
            bridge.name
        );
        return warn(WHAT, text);
    }
    match reach(ip) {
        Reach::World if on.is_some() => ok(WHAT, format!("{ip} is public and on this machine")),
        Reach::World => ok(WHAT, format!("{ip} is public; the NAT that has it must pass media on")),
        Reach::Machine => ok(WHAT, format!("{ip} is for programs on this machine")),
        Reach::Link => {
            warn(WHAT, format!("{ip} is link-local: clients cannot use it; set media.ip"))
        }
        Reach::Site | Reach::Provider if is_in_world => {
            ok(WHAT, format!("{ip} is for clients in the same network"))
        }
        Reach::Site if is_contained => warn(
            WHAT,
            format!(
                "{ip} is private and this is a container: run it with the host's network, or set \
                 media.ip to the host's public address and publish the UDP ports unchanged"
            ),
        ),
        Reach::Site => warn(
            WHAT,
            format!(
                "{ip} is private: only clients in the same network reach it; for all others set \
                 media.ip to the public address"
            ),
        ),
        Reach::Provider => warn(
            WHAT,
            format!(
                "{ip} is the provider's (CGNAT): nobody outside his network reaches it; a node \
                 needs a public address, set media.ip"
            ),
        ),
    }
}

fn reach(ip: IpAddr) -> Reach {
    match ip {
        IpAddr::V4(v4) if v4.is_loopback() => Reach::Machine,
        IpAddr::V4(v4) if v4.is_link_local() => Reach::Link,
        IpAddr::V4(v4) if v4.is_private() => Reach::Site,
        IpAddr::V4(v4) if is_provider(v4) => Reach::Provider,
        IpAddr::V6(v6) if v6.is_loopback() => Reach::Machine,
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Reach::Link,
        IpAddr::V6(v6) if is_unique_local(v6) => Reach::Site,
        IpAddr::V4(_) | IpAddr::V6(_) => Reach::World,
    }
}

/// 100.64.0.0/10 (RFC 6598).
fn is_provider(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    first == 100 && (64..128).contains(&second)
}

/// fc00::/7 (RFC 4193).
fn is_unique_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xfe00 == 0xfc00
}

/// Docker and Podman leave such a file in theirs.
pub fn is_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|file| std::path::Path::new(file).exists())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    fn on(name: &str, ip: &str) -> Interface {
        Interface { name: name.into(), ip: ip.parse().unwrap(), is_up: true }
    }

    #[track_caller]
    fn check(told: &[&str], expect: &[(Verdict, &str)]) {
        let machine = [
            on("lo", "127.0.0.1"),
            on("eth0", "10.1.2.3"),
            on("eth1", "198.51.100.7"),
            on("docker0", "172.17.0.1"),
            on("veth12", "10.9.9.9"),
        ];
        let told: Vec<IpAddr> = told.iter().map(|ip| ip.parse().unwrap()).collect();
        let found = judge(&told, &machine, false);
        assert_eq!(found.len(), expect.len(), "{found:?}");
        for (finding, (verdict, word)) in found.iter().zip(expect) {
            assert_eq!(finding.verdict, *verdict, "{finding:?}");
            assert!(finding.text.contains(word), "{finding:?} lacks {word}");
        }
    }

    #[test]
    fn an_address_is_judged_by_who_reaches_it() {
        use Verdict::{Fail, Ok, Warn};
        check(&[], &[(Fail, "media.bind")]);
        check(&["127.0.0.1"], &[(Warn, "set media.ip")]);
        check(&["127.0.0.1", "::1"], &[(Warn, "nobody beyond this machine")]);
        check(&["198.51.100.7"], &[(Ok, "on this machine")]);
        check(&["203.0.113.9"], &[(Ok, "NAT")]);
        check(&["10.1.2.3", "127.0.0.1"], &[(Warn, "private"), (Ok, "programs")]);
        check(&["fd00::2"], &[(Warn, "private")]);
        check(&["10.1.2.3", "198.51.100.7"], &[(Ok, "same network"), (Ok, "public")]);
        check(&["100.64.0.9"], &[(Warn, "CGNAT")]);
        check(&["100.128.0.9"], &[(Ok, "public")]);
        check(&["169.254.3.4"], &[(Warn, "link-local")]);
        check(&["fe80::1"], &[(Warn, "link-local")]);
        check(&["172.17.0.1"], &[(Warn, "docker0")]);
        check(&["198.51.100.7", "10.9.9.9"], &[(Ok, "public"), (Warn, "veth12")]);
    }

    #[test]
    fn in_a_container_the_host_s_network_is_what_is_wanted() {
        let found = judge(&["172.17.0.2".parse().unwrap()], &[on("eth0", "172.17.0.2")], true);
        assert!(found[0].text.contains("the host's network"), "{found:?}");
    }
}
