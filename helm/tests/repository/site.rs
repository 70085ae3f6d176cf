//! A server that plays a repository and writes down what it was asked.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::serve::Listener;
use futures::future::BoxFuture;
use groundswell_helm::archive::digest_hex;
use groundswell_helm::repository::{Access, Credentials, FetchError, Fetcher, Keyring, Pace, Pulled, Reference, Secret, Settings, Url};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) if_none_match: Option<String>,
}

type Play = dyn Fn(&str, &HeaderMap) -> Response<Body> + Send + Sync;

pub(crate) struct Site {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Site {
    /// Starts a server; `play` answers by path with query.
    pub(crate) async fn start(play: impl Fn(&str, &HeaderMap) -> Response<Body> + Send + Sync + 'static) -> Self {
        Self::start_with(|_| play).await
    }

    /// The same, for answers that name the server's own address.
    pub(crate) async fn start_with<P>(make: impl FnOnce(&str) -> P) -> Self
    where
        P: Fn(&str, &HeaderMap) -> Response<Body> + Send + Sync + 'static,
    {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self::serve(listener, url, make)
    }

    /// The same on a listener of the test's.
    pub(crate) fn serve<L: Listener, P>(listener: L, url: String, make: impl FnOnce(&str) -> P) -> Self
    where
        P: Fn(&str, &HeaderMap) -> Response<Body> + Send + Sync + 'static,
        L::Addr: std::fmt::Debug,
    {
        let (asked, play): (Arc<Mutex<Vec<Asked>>>, Arc<Play>) = (Arc::default(), Arc::new(make(&url)));
        let notes = Arc::clone(&asked);
        let app = Router::new().fallback(move |request: Request| {
            let (notes, play) = (Arc::clone(&notes), Arc::clone(&play));
            async move {
                let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
                let path = request.uri().path_and_query().unwrap().to_string();
                let asked = Asked { path: path.clone(), authorization: header("authorization"), if_none_match: header("if-none-match") };
                notes.lock().unwrap().push(asked);
                play(&path, request.headers())
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, asked, task }
    }

    /// A server of fixed files.
    pub(crate) async fn of(files: BTreeMap<&'static str, Vec<u8>>) -> Self {
        Self::start(move |path, _| files.get(path).map_or_else(missing, |data| ok(data.clone()))).await
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.path).collect()
    }

    /// `name` in this repository.
    pub(crate) fn chart(&self, name: &str, version: Option<&str>) -> Reference {
        Reference::Repository { url: Url::parse(&self.url).unwrap(), name: name.into(), version: version.map(str::to_owned) }
    }
}

pub(crate) fn ok(body: impl Into<Body>) -> Response<Body> {
    Response::new(body.into())
}

pub(crate) fn status(status: u16, body: &str) -> Response<Body> {
    let mut answer = Response::new(Body::from(body.to_owned()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

pub(crate) fn missing() -> Response<Body> {
    status(404, "not here")
}

pub(crate) fn redirect(to: &str) -> Response<Body> {
    with_header(status(302, ""), "location", to)
}

pub(crate) fn with_header(mut answer: Response<Body>, name: &'static str, value: &str) -> Response<Body> {
    answer.headers_mut().insert(name, value.parse().unwrap());
    answer
}

/// An archive of a chart `beacon`.
pub(crate) fn beacon(version: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Chart.yaml"), format!("apiVersion: v2\nname: beacon\nversion: {version}\n")).unwrap();
    std::fs::write(folder.path().join("values.yaml"), "replicas: 1\n").unwrap();
    groundswell_helm::pack::pack(folder.path()).unwrap().bytes
}

/// An index with `beacon` in one version.
pub(crate) fn index(version: &str, url: &str, archive: &[u8]) -> Vec<u8> {
    index_of(&[(version, url, &digest_hex(archive))])
}

pub(crate) fn index_of(entries: &[(&str, &str, &str)]) -> Vec<u8> {
    let entry = |(version, url, digest): &(&str, &str, &str)| {
        let digest = if digest.is_empty() { String::new() } else { format!("    digest: {digest}\n") };
        format!("  - version: {version}\n{digest}    urls:\n    - {url}\n")
    };
    let entries: String = entries.iter().map(entry).collect();
    format!("apiVersion: v1\nentries:\n  beacon:\n{entries}  beatrice: []\n").into_bytes()
}

/// No time passes, and what would have passed is written down.
#[derive(Default, Clone)]
pub(crate) struct NoTime(pub(crate) Arc<Mutex<Vec<Duration>>>);

impl fmt::Debug for NoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoTime")
    }
}

impl Pace for NoTime {
    fn sleep(&self, delay: Duration) -> BoxFuture<'_, ()> {
        self.0.lock().unwrap().push(delay);
        Box::pin(async {})
    }

    fn draw(&self, ceiling: Duration) -> Duration {
        ceiling
    }
}

pub(crate) fn settings() -> Settings {
    Settings { pace: Arc::new(NoTime::default()), ..Settings::default() }
}

pub(crate) fn with_access(accesses: impl IntoIterator<Item = Access>) -> Settings {
    let mut keyring = Keyring::default();
    accesses.into_iter().for_each(|access| keyring.add(access));
    Settings { keyring, ..settings() }
}

pub(crate) const PASSWORD: &str = "hunter2-correct-horse";

/// Credentials for all of a site.
pub(crate) fn login(url: &str) -> Access {
    let credentials = Credentials { username: "me".into(), password: Secret::new(PASSWORD.into()) };
    Access { credentials: Some(credentials), ..Access::open(Url::parse(url).unwrap()) }
}

/// What `login` sends.
pub(crate) fn basic() -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("me:{PASSWORD}")))
}

pub(crate) async fn fetch(settings: Settings, reference: &Reference) -> Result<Pulled, FetchError> {
    Fetcher::new(settings).fetch(reference).await
}

/// The words of a refusal, with those of its sources and what is next. They never hold the password.
pub(crate) async fn refusal(settings: Settings, reference: &Reference) -> String {
    let error = fetch(settings, reference).await.map(|pulled| pulled.origin).unwrap_err();
    let mut text = format!("{error}; {}", error.next());
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        text.push_str(&format!("; {inner}"));
        source = inner.source();
    }
    assert!(!format!("{text} {error:?}").contains(PASSWORD), "{error:?}");
    text
}
