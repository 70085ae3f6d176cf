//! Who a server is: scheme, host and port. Credentials belong to one of these and to nothing else.

use reqwest::Url;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Scheme, host and port of a URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of an http or https URL.
    #[must_use]
    pub fn of(url: &Url) -> Option<Self> {
        let port = url.port_or_known_default()?;
        let host = url.host_str()?.trim_end_matches('.').to_ascii_lowercase();
        matches!(url.scheme(), "http" | "https").then(|| Self { scheme: url.scheme().to_owned(), host, port })
    }

    /// Whether what is sent there can be read on the way.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.scheme == "http"
    }

    /// Host without port; an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it can only be this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.address().is_some_and(|address| Depth::of(address) == Depth::Loopback)
    }

    /// The address, where the host is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = if self.is_plain() { 80 } else { 443 };
        write!(f, "{}://{}", self.scheme, self.host)?;
        if self.port == usual { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// A URL as it may be printed: without user, query and fragment, which may hold what opens a door.
#[must_use]
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let had_query = url.query().is_some();
    url.set_query(None);
    url.set_fragment(None);
    // Neither can fail for the http and https URLs that come here.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if had_query { format!("{url}?…") } else { url.to_string() }
}

/// How far inside a network an address lies. A repository may send us to a place that lies no further inside than itself: else
/// whoever writes an index could make this machine ask services that only this machine reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Depth {
    /// The Internet.
    Public,
    /// RFC 1918, shared address space (RFC 6598) and their IPv6 kin.
    Private,
    /// This machine.
    Loopback,
    /// Link-local (where clouds keep their metadata service), multicast, unspecified: no repository is there.
    Nowhere,
}

impl Depth {
    pub(super) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => match embedded_v4(v6) {
                Some(v4) => Self::of_v4(v4),
                None => Self::of_v6(v6),
            },
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let [a, b, ..] = address.octets();
        if address.is_loopback() {
            Self::Loopback
        } else if a == 0 || address.is_link_local() || address.is_multicast() || address.is_broadcast() {
            Self::Nowhere
        } else if address.is_private() || (a == 100 && (64..128).contains(&b)) {
            Self::Private
        } else {
            Self::Public
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if address.is_loopback() {
            Self::Loopback
        } else if address.is_unspecified() || address.is_multicast() || address.is_unicast_link_local() {
            Self::Nowhere
        } else if address.is_unique_local() {
            Self::Private
        } else {
            Self::Public
        }
    }

    pub(super) fn from_u8(byte: u8) -> Self {
        match byte {
            0 => Self::Public,
            1 => Self::Private,
            2 => Self::Loopback,
            _ => Self::Nowhere,
        }
    }
}

/// IPv4 inside of IPv6: mapped addresses and NAT64 (RFC 6052).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let words = address.segments();
    let nat64 = words[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    let octets = address.octets();
    nat64.then(|| Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15])).or_else(|| address.to_ipv4_mapped())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::of(&Url::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert_eq!(origin("https://A.example/x"), origin("https://a.example.:443/y?z"));
        for other in ["http://a.example/", "https://a.example:444/", "https://b.a.example/", "https://a.example.evil/"] {
            assert_ne!(origin("https://a.example/"), origin(other), "{other}");
        }
        assert_eq!(origin("https://a.example:8443/x").to_string(), "https://a.example:8443");
        assert!(Origin::of(&Url::parse("file:///etc/passwd").unwrap()).is_none());
    }

    #[test]
    fn what_is_printed_opens_no_door() {
        let url = Url::parse("https://me:hunter2@a.example/c.tgz?token=hunter2#hunter2").unwrap();
        assert_eq!(shown(&url), "https://a.example/c.tgz?…");
    }

    #[test]
    fn addresses_know_how_far_inside_they_are() {
        for (address, depth) in [
            ("93.184.216.34", Depth::Public),
            ("2606:2800::1", Depth::Public),
            ("10.1.2.3", Depth::Private),
            ("100.64.0.1", Depth::Private),
            ("172.31.0.1", Depth::Private),
            ("fd00::1", Depth::Private),
            ("127.1.2.3", Depth::Loopback),
            ("::1", Depth::Loopback),
            ("::ffff:127.0.0.1", Depth::Loopback),
            ("64:ff9b::7f00:1", Depth::Loopback),
            ("169.254.169.254", Depth::Nowhere),
            ("::ffff:169.254.169.254", Depth::Nowhere),
            ("0.0.0.0", Depth::Nowhere),
            ("fe80::1", Depth::Nowhere),
        ] {
            assert_eq!(Depth::of(address.parse().unwrap()), depth, "{address}");
        }
        for url in ["http://127.0.0.1:1/", "http://localhost/", "http://[::1]:3/"] {
            assert!(origin(url).is_loopback(), "{url}");
        }
        for url in ["http://127.0.0.1.evil.example/", "http://localhost.evil.example/", "http://10.0.0.1/"] {
            assert!(!origin(url).is_loopback(), "{url}");
        }
    }
}
