//! Which addresses clients are told to send media to, where the operator named none.
//!
//! The rule (PROTOCOL section 7): the machine's routable addresses and 127.0.0.1; no link-local
//! ones, which need a zone, and no bridges of containers and virtual machines, which nobody
//! outside this machine reaches.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Media;

/// One address of one network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub ip: IpAddr,
    /// Up and running: packets can arrive there.
    pub is_up: bool,
}

/// The machine's interfaces, one entry an address.
///
/// # Errors
/// The operating system refused the list.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let found = if_addrs::get_if_addrs()?.into_iter().map(|interface| Interface {
        ip: interface.ip(),
        is_up: interface.is_oper_up(),
        name: interface.name,
    });
    Ok(found.collect())
}

/// The addresses told to clients, best first, each once: those of `media.ip`, else what
/// `interfaces` offer and `media.bind` lets in.
pub fn advertised(media: &Media, interfaces: &[Interface]) -> Vec<IpAddr> {
    if !media.ip.is_empty() {
        return each_once(media.ip.iter().copied());
    }
    let offered = |is_family: fn(&IpAddr) -> bool| {
        interfaces
            .iter()
            .filter(|interface| interface.is_up && !is_bridge(&interface.name))
            .map(|interface| interface.ip)
            .filter(|ip| is_routable(*ip))
            .filter(is_family)
    };
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let all = offered(IpAddr::is_ipv4).chain(offered(IpAddr::is_ipv6)).chain(loopback);
    // An address somebody bound to by name is meant, whatever it is.
    let named = media.bind.iter().copied().filter(|bound| !bound.is_unspecified());
    each_once(all.filter(|ip| lets_in(&media.bind, *ip)).chain(named))
}

fn each_once(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut once = Vec::new();
    for ip in addresses {
        if !once.contains(&ip) {
            once.push(ip);
        }
    }
    once
}

/// A socket bound so hears what is sent to `ip`. `::` is bound for IPv6 alone: both families come
/// from binding nothing.
fn lets_in(bind: &[IpAddr], ip: IpAddr) -> bool {
    bind.is_empty()
        || bind.iter().any(|bound| {
            *bound == ip || (bound.is_unspecified() && bound.is_ipv4() == ip.is_ipv4())
        })
}

fn is_routable(ip: IpAddr) -> bool {
    !ip.is_loopback()
        && !ip.is_unspecified()
        && !ip.is_multicast()
        && match ip {
            IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_broadcast(),
            IpAddr::V6(v6) => !is_link_local_v6(v6) && v6.to_ipv4_mapped().is_none(),
        }
}

/// fe80::/10 (RFC 4291 section 2.5.6).
fn is_link_local_v6(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xffc0 == 0xfe80
}

/// Whether an interface of that name leads to containers or virtual machines only.
pub fn is_bridge(name: &str) -> bool {
    BRIDGES.iter().any(|prefix| name.starts_with(prefix))
}

/// How Docker, libvirt, LXC, Podman and the usual Kubernetes networks name their interfaces.
const BRIDGES: [&str; 13] = [
    "docker", "br-", "virbr", "veth", "vnet", "lxcbr", "lxdbr", "podman", "cni", "flannel", "cali",
    "kube", "tunl",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn up(name: &str, ip: &str) -> Interface {
        Interface { name: name.into(), ip: ip.parse().unwrap(), is_up: true }
    }

    fn check(media: &Media, interfaces: &[Interface], expect: &[&str]) {
        let told: Vec<String> =
            advertised(media, interfaces).iter().map(ToString::to_string).collect();
        assert_eq!(told, expect);
    }

    fn machine() -> Vec<Interface> {
        vec![
            up("lo", "127.0.0.1"),
            up("lo", "::1"),
            up("eth0", "fe80::1"),
            up("eth0", "2001:db8::5"),
            up("eth0", "192.0.2.5"),
            up("wlan0", "198.51.100.7"),
            up("docker0", "172.17.0.1"),
            up("br-5f0a", "172.18.0.1"),
            up("virbr0", "192.168.122.1"),
            up("veth12ab", "169.254.3.4"),
        ]
    }

    #[test]
    fn routable_addresses_come_first_then_loopback() {
        let expect = ["192.0.2.5", "198.51.100.7", "2001:db8::5", "127.0.0.1"];
        check(&Media::default(), &machine(), &expect);
    }

    #[test]
    fn machine_without_network_still_tells_loopback() {
        check(&Media::default(), &[up("lo", "127.0.0.1")], &["127.0.0.1"]);
        check(&Media::default(), &[], &["127.0.0.1"]);
    }

    #[test]
    fn interface_that_is_down_is_not_told() {
        let down = Interface { is_up: false, ..up("eth1", "203.0.113.9") };
        check(&Media::default(), &[down], &["127.0.0.1"]);
    }

    #[test]
    fn private_and_unique_local_addresses_are_routable() {
        let site = [up("eth0", "10.1.2.3"), up("eth0", "fd00::2"), up("eth0", "100.64.0.9")];
        check(&Media::default(), &site, &["10.1.2.3", "100.64.0.9", "fd00::2", "127.0.0.1"]);
    }

    #[test]
    fn link_local_addresses_are_never_told() {
        let local = [up("eth0", "169.254.10.1"), up("eth0", "fe80::9"), up("eth0", "febf::1")];
        check(&Media::default(), &local, &["127.0.0.1"]);
    }

    #[test]
    fn address_on_two_interfaces_is_told_once() {
        let twice = [up("eth0", "192.0.2.5"), up("eth0:1", "192.0.2.5")];
        check(&Media::default(), &twice, &["192.0.2.5", "127.0.0.1"]);
    }

    #[test]
    fn named_addresses_replace_the_machines() {
        let ip = vec!["203.0.113.1".parse().unwrap(), "203.0.113.1".parse().unwrap()];
        let media = Media { ip, ..Media::default() };
        check(&media, &machine(), &["203.0.113.1"]);
    }

    #[test]
    fn only_addresses_the_binding_hears_are_told() {
        let bound = |ip: &str| Media { bind: vec![ip.parse().unwrap()], ..Media::default() };
        check(&bound("0.0.0.0"), &machine(), &["192.0.2.5", "198.51.100.7", "127.0.0.1"]);
        check(&bound("::"), &machine(), &["2001:db8::5"]);
        check(&bound("192.0.2.5"), &machine(), &["192.0.2.5"]);
        check(&bound("::1"), &machine(), &["::1"]);
    }

    #[test]
    fn this_machine_lists_its_loopback() {
        let listed = interfaces().unwrap();
        assert!(listed.iter().any(|interface| interface.ip.is_loopback()), "{listed:?}");
    }
}
