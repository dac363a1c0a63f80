//! Which addresses may be connected to: public ones, and those of hosts that were configured.
//!
//! A name is resolved here and the connection is made to the very addresses that were checked, so a
//! name that answers differently the second time gains nothing. There is no switch to turn it off.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Answers with the addresses of a name.
pub(super) type Lookup = Arc<dyn Fn(String) -> Found + Send + Sync>;

/// The addresses of a name, sooner or later.
pub(super) type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Refuses what is neither public nor configured.
#[derive(Clone)]
pub(super) struct Guard {
    trusted: Arc<[String]>,
    lookup: Lookup,
}

/// All addresses of a host are private or reserved, and the host was not configured.
#[derive(Debug, thiserror::Error)]
#[error("the host has no public address and is not one of outbound.trusted_hosts")]
pub(super) struct Forbidden;

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("trusted", &self.trusted).finish_non_exhaustive()
    }
}

impl Guard {
    /// Trusts these hosts and asks the system's resolver.
    pub(super) fn new(trusted: &[String]) -> Self {
        Self::with_lookup(
            trusted,
            Arc::new(|name| {
                Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
            }),
        )
    }

    /// Trusts these hosts and asks `lookup`.
    pub(super) fn with_lookup(trusted: &[String], lookup: Lookup) -> Self {
        Self { trusted: trusted.iter().map(|host| plain(host)).collect(), lookup }
    }

    /// Whether an address may be asked at all. Names are checked again once they are resolved.
    pub(super) fn permits(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return false };
        let trusted = self.trusts(&host.to_string());
        match (url.scheme(), host) {
            ("https" | "http", _) if trusted => true,
            ("https", Host::Domain(_)) => true,
            ("https", Host::Ipv4(address)) => is_public_v4(address),
            ("https", Host::Ipv6(address)) => is_public_v6(address),
            _ => false,
        }
    }

    /// False when the name in an address has addresses, and none of them may be connected to.
    pub(super) async fn may_lead_there(&self, url: &Url) -> bool {
        let Some(Host::Domain(name)) = url.host() else { return true };
        if self.trusts(name) {
            return true;
        }
        let found = (self.lookup)(name.to_owned()).await.unwrap_or_default();
        found.is_empty() || found.iter().any(|address| is_public(address.ip()))
    }

    fn trusts(&self, host: &str) -> bool {
        let host = plain(host);
        self.trusted.contains(&host)
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let trusted = self.trusts(name.as_str());
        let found = (self.lookup)(name.as_str().to_owned());
        Box::pin(async move {
            let mut addresses = found.await?;
            addresses.retain(|address| trusted || is_public(address.ip()));
            if addresses.is_empty() {
                return Err(Forbidden.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// A host as it is compared: lower case, an IPv6 address without its brackets.
fn plain(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_lowercase()
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Networks that are not the public internet, by first address and prefix length (IANA IPv4 Special-
/// Purpose Address Registry, read 2026-11-21), and the one public address that is a cloud's inside.
const RESERVED_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    !RESERVED_V4.iter().any(|(network, length)| {
        let differing = address.to_bits() ^ network.to_bits();
        differing.leading_zeros() >= *length
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let embedded = || {
        let bits = u32::try_from(address.to_bits() & u128::from(u32::MAX)).unwrap_or(0);
        is_public_v4(Ipv4Addr::from_bits(bits))
    };
    match address.segments() {
        // An IPv4 address written as IPv6, and one behind a translator (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => embedded(),
        // Teredo and other protocol assignments, documentation, 6to4, documentation again.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Of the rest only global unicast is public.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "8.8.8.8 1.1.1.1 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 \
        198.17.255.255 223.255.255.255 2a03:2880:f12f::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8";

    const PRIVATE: &str = "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 \
        127.255.255.254 168.63.129.16 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.192 \
        192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 \
        224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 \
        ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::127.0.0.1 \
        64:ff9b::10.0.0.1 64:ff9b:1::1 100::1 2001::1 2001:10::1 2001:db8::1 2002:7f00:1:: \
        2002:a00:1:: 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 febf::1 fec0::1 ff02::1";

    #[test]
    fn only_public_addresses_are_public() {
        for (list, expected) in [(PUBLIC, true), (PRIVATE, false)] {
            for address in list.split_whitespace() {
                assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
            }
        }
    }

    #[test]
    fn addresses_are_permitted_by_scheme_and_host() {
        let guard =
            Guard::new(&["sim.internal".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()]);
        for (address, permitted) in [
            ("https://api.x.com/2/tweets", true),
            ("http://api.x.com/2/tweets", false),
            ("http://sim.internal:9000/", true),
            ("http://SIM.internal/", true),
            ("http://127.0.0.1:9000/", true),
            ("http://0x7f.1/", true),
            ("http://[::1]/", true),
            ("https://127.0.0.2/", false),
            ("https://2130706434/", false),
            ("https://[::ffff:10.0.0.1]/", false),
            ("https://169.254.169.254/latest/meta-data", false),
            ("https://8.8.8.8/", true),
            ("ftp://api.x.com/", false),
            ("file:///etc/passwd", false),
            ("data:text/plain,a", false),
        ] {
            assert_eq!(guard.permits(&address.parse().unwrap()), permitted, "{address}");
        }
    }
}
