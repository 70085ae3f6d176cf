//! The clients of a session: one for each origin, because trust, addresses and proxies are decided for each.

use super::super::credentials::Access;
use super::super::error::FetchError;
use super::super::limits::Limits;
use super::super::origin::{Depth, Origin, shown};
use super::Failed;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, Url};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub(super) struct Clients {
    named: Origin,
    /// [`Depth`] of the named origin, once known. Behind a proxy it stays unknown, which counts as the Internet.
    depth: Arc<AtomicU8>,
    open: Mutex<BTreeMap<Origin, Client>>,
}

impl Clients {
    pub(super) fn new(named: Origin) -> Self {
        let depth = named.address().map_or(Depth::Public, Depth::of);
        Self { named, depth: Arc::new(AtomicU8::new(depth as u8)), open: Mutex::default() }
    }

    /// How far inside the named origin lies, and so any other may.
    pub(super) fn depth(&self) -> Depth {
        allowed(&self.depth)
    }

    pub(super) fn get(&self, origin: &Origin, access: Option<&Access>, limits: &Limits) -> Result<Client, FetchError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = open.get(origin) {
            return Ok(client.clone());
        }
        let client = self.build(origin, access, limits)?;
        open.insert(origin.clone(), client.clone());
        Ok(client)
    }

    fn build(&self, origin: &Origin, access: Option<&Access>, limits: &Limits) -> Result<Client, FetchError> {
        let failed = |reason: String| FetchError::Setup { origin: origin.to_string(), reason };
        let resolver = Guarded { host: origin.host().to_owned(), named: *origin == self.named, depth: Arc::clone(&self.depth) };
        let mut builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(limits.connect)
            .dns_resolver(Arc::new(resolver))
            .user_agent(concat!("groundswell/", env!("CARGO_PKG_VERSION")));
        if let Some(ca) = access.and_then(|access| access.ca.as_ref()) {
            let certificates = Certificate::from_pem_bundle(ca).map_err(|error| failed(words(&error)))?;
            if certificates.is_empty() {
                return Err(failed("the CA file holds no certificate in PEM".to_owned()));
            }
            builder = builder.tls_certs_only(certificates);
        }
        if access.is_some_and(|access| access.insecure_skip_tls_verify) {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        builder.build().map_err(|error| failed(words(&error)))
    }

    /// What a request without an answer failed of, and whether another try may help.
    pub(super) fn failure(&self, url: &Url, error: &reqwest::Error, attempt: u32) -> Failed {
        let shown = shown(url);
        if let Some(refused) = find::<Refused>(error) {
            return Failed::For(FetchError::Inside { url: shown, address: refused.0.to_string(), named: self.named.to_string() });
        }
        let reason = words(error);
        let certificate = ["certificate", "UnknownIssuer", "NotValidForName"].iter().any(|word| reason.contains(word));
        if certificate {
            return Failed::For(FetchError::Certificate { url: shown, reason });
        }
        // A server that does not speak TLS will not learn it by being asked again.
        let hopeless = reason.contains("InvalidContentType") || error.is_builder();
        let error = FetchError::Unreachable { url: shown, attempts: attempt, reason };
        if hopeless { Failed::For(error) } else { Failed::Maybe(error, None) }
    }
}

/// Nobody is sent to link-local addresses, not even by a repository that is at one.
fn allowed(depth: &AtomicU8) -> Depth {
    Depth::from_u8(depth.load(Ordering::SeqCst)).min(Depth::Loopback)
}

/// Resolves as usual, and refuses addresses further inside than the origin that the operator named. What is checked here is
/// what is connected to: there is no second look-up in between.
#[derive(Debug)]
struct Guarded {
    host: String,
    named: bool,
    depth: Arc<AtomicU8>,
}

/// An address that is not connected to.
#[derive(Debug, thiserror::Error)]
#[error("{0} lies further inside than the repository")]
struct Refused(IpAddr);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        // Any other name is a proxy's, which is the operator's own.
        let (own, named, depth) = (name.as_str().trim_end_matches('.') == self.host, self.named, Arc::clone(&self.depth));
        Box::pin(async move {
            let addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let deepest = addresses.iter().max_by_key(|address| Depth::of(address.ip()));
            if let Some(deepest) = deepest.filter(|_| own) {
                let found = Depth::of(deepest.ip());
                if named {
                    depth.store(found as u8, Ordering::SeqCst);
                } else if found > allowed(&depth) {
                    return Err(Box::new(Refused(deepest.ip())) as Box<dyn Error + Send + Sync>);
                }
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        // An io::Error hides what it wraps from `source`.
        if let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref)
            && let Some(found) = find::<T>(inner)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The innermost words: what lies around them repeats the URL, query and all.
pub(super) fn words(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    let text: String = innermost.to_string().chars().filter(|c| !c.is_control()).take(300).collect();
    if innermost.downcast_ref::<reqwest::Error>().is_some() { "the request failed".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(named: bool, depth: Depth) -> Guarded {
        Guarded { host: "localhost".into(), named, depth: Arc::new(AtomicU8::new(depth as u8)) }
    }

    async fn resolves(guarded: &Guarded, name: &str) -> bool {
        guarded.resolve(name.parse().unwrap()).await.is_ok()
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_unless_the_operator_named_it() {
        assert!(!resolves(&guarded(false, Depth::Public), "localhost").await);
        assert!(!resolves(&guarded(false, Depth::Private), "localhost").await);
        assert!(resolves(&guarded(false, Depth::Loopback), "localhost").await);
        let named = guarded(true, Depth::Public);
        assert!(resolves(&named, "localhost").await);
        assert_eq!(Depth::from_u8(named.depth.load(Ordering::SeqCst)), Depth::Loopback);
        let proxied = Guarded { host: "charts.example".into(), ..guarded(false, Depth::Public) };
        assert!(resolves(&proxied, "localhost").await, "a proxy's name is the operator's own");
    }

    #[tokio::test]
    async fn the_refusal_is_found_in_what_the_client_says() {
        let origin = |url: &str| Origin::of(&Url::parse(url).unwrap()).unwrap();
        let clients = Clients::new(origin("https://93.184.216.34/"));
        let url = Url::parse("https://localhost:1/a.tgz").unwrap();
        let client = clients.get(&origin(url.as_str()), None, &Limits::default()).unwrap();
        let error = client.get(url.clone()).send().await.unwrap_err();
        let Failed::For(FetchError::Inside { url, .. }) = clients.failure(&url, &error, 1) else { panic!("{error:?}") };
        assert_eq!(url, "https://localhost:1/a.tgz");
    }
}
