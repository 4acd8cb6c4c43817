//! The guard on outgoing requests: names and addresses that a company's configuration, an event or a redirect brought
//! must not lead into the own network. The address that was checked is the one connected to: the check is the resolver.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Method, RequestBuilder};
use url::{Host, Url};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);

/// How long a connection without requests is kept: less than servers do (Node: 5 s). One that is closed just as a write
/// leaves on it makes the write's end unknown.
const IDLE: Duration = Duration::from_secs(4);

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// To the internet.
    Public,
    /// To this machine or the own network: only where the configuration opens it.
    Inside,
    /// Nowhere that a request should go: metadata services, link-local, multicast, reserved.
    Never,
}

/// Whether an address is one of the public internet: not loopback, private, link-local, shared (CGNAT), a metadata
/// service, multicast, unspecified, reserved, nor any of these within an IPv6 address.
pub fn is_public(ip: IpAddr) -> bool {
    reach(ip) == Reach::Public
}

fn reach(ip: IpAddr) -> Reach {
    match ip {
        IpAddr::V4(ip) => reach_v4(ip),
        IpAddr::V6(ip) => reach_v6(ip),
    }
}

fn reach_v4(ip: Ipv4Addr) -> Reach {
    match ip.octets() {
        // Metadata of one cloud, within the shared range.
        [100, 100, 100, 200] => Reach::Never,
        [127, ..] | [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Reach::Inside,
        // This network, link-local with metadata, protocol assignments, documentation, 6to4 relays, benchmarks.
        [0, ..] | [169, 254, ..] | [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18..=19, ..] => Reach::Never,
        [198, 51, 100, _] | [203, 0, 113, _] | [224..=255, ..] => Reach::Never,
        _ => Reach::Public,
    }
}

fn reach_v6(ip: Ipv6Addr) -> Reach {
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        reach_v4(Ipv4Addr::new(a, b, c, d))
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Inside,
        // Mapped, as some systems show IPv4.
        [0, 0, 0, 0, 0, 0xffff, high, low] => embedded(high, low),
        // Through a translator the address within is what is reached.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] if embedded(high, low) == Reach::Public => Reach::Public,
        [0x2002, high, low, ..] if embedded(high, low) == Reach::Public => Reach::Public,
        // Metadata of one cloud, within unique local.
        [0xfd00, 0x0ec2, ..] => Reach::Never,
        [0xfc00..=0xfdff, ..] => Reach::Inside,
        // 6to4 and translators to anything else, protocol assignments with Teredo, documentation.
        [0x2002, ..] | [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Reach::Never,
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Never,
    }
}

/// Why a request did not leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    /// The host leads to no address that may be reached.
    #[error("`{0}` leads to a private or reserved address")]
    Address(String),
    /// The URL is none that may be asked.
    #[error("only http and https with a host may be asked")]
    Url,
}

/// Looks names up.
#[async_trait]
pub trait Lookup: Send + Sync + 'static {
    /// Every address of a name; ports are ignored.
    ///
    /// # Errors
    /// The system's, as where there is no such name.
    async fn lookup(&self, name: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The system's own lookup.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// A client whose requests only reach what they may. Follows no redirects, uses no proxy, repeats nothing; a connection
/// may take 3 s, the whole has no limit of its own.
#[derive(Debug, Clone)]
pub struct GuardedClient {
    client: Client,
    open: Option<Host>,
}

/// A client for requests to the public internet, and to `open` (one host, from the configuration) even where that is
/// loopback or private. For company APIs, webhooks and whatever else goes out.
///
/// # Errors
/// Why no client could be made (the system's TLS roots).
pub fn guarded_client(open: Option<&Url>) -> Result<GuardedClient, String> {
    guarded_client_with(open, Arc::new(SystemLookup))
}

/// The same with names looked up otherwise.
///
/// # Errors
/// As [`guarded_client`].
pub fn guarded_client_with(open: Option<&Url>, lookup: Arc<dyn Lookup>) -> Result<GuardedClient, String> {
    let open = open.and_then(Url::host).map(|host| host.to_owned());
    let resolver = Guard { open: open.clone(), lookup };
    let client = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .user_agent(concat!("beckon/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Arc::new(resolver))
        .build()
        .map_err(|problem| problem.to_string())?;
    Ok(GuardedClient { client, open })
}

impl GuardedClient {
    /// Begins a request. Addresses written in the URL are checked here, names when they are resolved.
    ///
    /// # Errors
    /// [`Blocked`]: nothing was sent.
    pub fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, Blocked> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Blocked::Url);
        }
        let ip = match url.host() {
            None => return Err(Blocked::Url),
            Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        };
        let opened = url.host().map(|host| host.to_owned()) == self.open;
        if let Some(ip) = ip
            && !may_reach(ip, opened)
        {
            return Err(Blocked::Address(ip.to_string()));
        }
        Ok(self.client.request(method, url))
    }
}

/// The guard's word in an error of a request, where it was the guard that stopped it.
pub fn blocked<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Blocked> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(blocked) = error.downcast_ref::<Blocked>() {
            return Some(blocked);
        }
        next = error.source();
    }
    None
}

fn may_reach(ip: IpAddr, opened: bool) -> bool {
    match reach(ip) {
        Reach::Public => true,
        Reach::Inside => opened,
        Reach::Never => false,
    }
}

/// Resolves names to the addresses that may be reached.
struct Guard {
    open: Option<Host>,
    lookup: Arc<dyn Lookup>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = self.lookup.clone();
        let opened = matches!(&self.open, Some(Host::Domain(open)) if open.eq_ignore_ascii_case(name.as_str()));
        Box::pin(async move {
            let found = lookup.lookup(name.as_str()).await?;
            let allowed: Vec<SocketAddr> =
                found.into_iter().filter(|ip| may_reach(*ip, opened)).map(|ip| SocketAddr::new(ip, 0)).collect();
            if allowed.is_empty() {
                return Err(Blocked::Address(name.as_str().to_owned()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        let public = ["8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "192.169.0.1"];
        let public_v6 = ["2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2001:4860::1"];
        for text in public.iter().chain(&public_v6) {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        let private = [
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "169.254.1.1",
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.1.2.3",
            "240.0.0.1",
            "255.255.255.255",
            "100.100.100.200",
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "fc00::1",
            "fd12::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:10.1.2.3",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
            "4000::1",
        ];
        for text in private {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn an_opened_host_may_be_private_but_never_a_metadata_service() {
        for text in ["127.0.0.1", "10.1.2.3", "192.168.1.1", "100.64.0.1", "::1", "fd12::1", "::ffff:127.0.0.1"] {
            assert!(may_reach(text.parse().unwrap(), true), "{text}");
            assert!(!may_reach(text.parse().unwrap(), false), "{text}");
        }
        for text in ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "fe80::1", "0.0.0.0", "224.0.0.1", "::"] {
            assert!(!may_reach(text.parse().unwrap(), true), "{text}");
        }
    }

    #[test]
    fn addresses_are_seen_however_they_are_written() {
        let client = guarded_client(None).unwrap();
        let blocked = [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:7f00:1]/",
            "http://169.254.169.254/latest",
            "http://0/",
            "http://127.0.0.1./",
        ];
        for text in blocked {
            let refused = client.request(Method::GET, text.parse().unwrap());
            assert!(matches!(refused, Err(Blocked::Address(_))), "{text}");
        }
        for text in ["file:///etc/passwd", "ftp://8.8.8.8/", "data:text/plain,x"] {
            assert_eq!(client.request(Method::GET, text.parse().unwrap()).unwrap_err(), Blocked::Url, "{text}");
        }
    }

    #[test]
    fn opening_one_host_opens_no_other() {
        let base: Url = "http://127.0.0.1:8080/".parse().unwrap();
        let client = guarded_client(Some(&base)).unwrap();
        assert!(client.request(Method::GET, base).is_ok());
        assert!(client.request(Method::GET, "http://127.0.0.2/".parse().unwrap()).is_err());
        assert!(client.request(Method::GET, "http://[::1]/".parse().unwrap()).is_err());
    }
}
