//! Servers that are tired.

use crate::site::{NoTime, Site, beacon, fetch, index, missing, ok, refusal, settings, status, with_header};
use axum::body::Body;
use groundswell_helm::repository::{Limits, Progress, Reference, Settings, Url};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Answers `status` so many times before it works.
async fn tired(failures: u32, code: u16, retry_after: Option<&'static str>) -> Site {
    let archive = beacon("1.0.0");
    let text = index("1.0.0", "a.tgz", &archive);
    let left = AtomicU32::new(failures);
    Site::start(move |path, _| {
        let fails = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        match path {
            _ if fails => {
                let answer = status(code, "not now");
                retry_after.map_or_else(|| status(code, "not now"), |after| with_header(answer, "retry-after", after))
            }
            "/index.yaml" => ok(text.clone()),
            "/a.tgz" => ok(archive.clone()),
            _ => missing(),
        }
    })
    .await
}

fn paced() -> (Settings, Arc<Mutex<Vec<Duration>>>) {
    let pace = NoTime::default();
    let waited = Arc::clone(&pace.0);
    (Settings { pace: Arc::new(pace), ..settings() }, waited)
}

#[tokio::test]
async fn a_busy_server_is_asked_again_later_and_later() {
    let site = tired(3, 503, None).await;
    let (settings, waited) = paced();
    fetch(settings, &site.chart("beacon", None)).await.unwrap();
    let millis: Vec<u128> = waited.lock().unwrap().iter().map(Duration::as_millis).collect();
    assert_eq!(millis, [500, 1000, 2000]);
}

#[tokio::test]
async fn the_server_says_how_much_later() {
    let site = tired(1, 503, Some("7")).await;
    let (settings, waited) = paced();
    fetch(settings, &site.chart("beacon", None)).await.unwrap();
    assert_eq!(*waited.lock().unwrap(), [Duration::from_millis(7500)]);
    // The server's clock is a year ahead; a minute is too long by any.
    for (date, waits) in [("Sun, 06 Nov 2044 08:49:37 GMT", Some(7500)), ("Sun, 06 Nov 2044 08:50:30 GMT", None)] {
        let site = Site::start(move |_, _| {
            with_header(with_header(status(503, ""), "retry-after", date), "date", "Sun, 06 Nov 2044 08:49:30 GMT")
        })
        .await;
        let (settings, waited) = paced();
        let text = refusal(settings, &site.chart("beacon", None)).await;
        assert_eq!(waited.lock().unwrap().first().map(Duration::as_millis), waits, "{text}");
        assert!(waits.is_some() || text.contains("asks to come back in 60 s"), "{text}");
    }
    let site = tired(1, 429, Some("3600")).await;
    let (settings, waited) = paced();
    let text = refusal(settings, &site.chart("beacon", None)).await;
    assert!(text.contains("busy and asks to come back in 3600 s") && waited.lock().unwrap().is_empty(), "{text}");
}

#[tokio::test]
async fn tries_come_to_an_end() {
    let site = tired(u32::MAX, 502, None).await;
    let text = refusal(settings(), &site.chart("beacon", None)).await;
    assert!(text.contains("answered 502 4 times"), "{text}");
    assert_eq!(site.paths().len(), 4);
    let site = tired(u32::MAX, 400, None).await;
    let text = refusal(settings(), &site.chart("beacon", None)).await;
    assert!(text.contains("answered 400") && site.paths().len() == 1, "{text}");
}

#[tokio::test]
async fn nobody_at_the_address() {
    // A port that is taken and that nobody listens at: no other test can get it.
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = Url::parse(&format!("http://{}", held.local_addr().unwrap())).unwrap();
    let text = refusal(settings(), &Reference::Repository { url, name: "beacon".into(), version: None }).await;
    assert!(text.contains("cannot be reached 4 times: Connection refused"), "{text}");
}

#[derive(Debug, Default)]
struct Told(Mutex<Vec<u64>>);

impl Progress for Told {
    fn bytes(&self, what: &str, done: u64, _: Option<u64>) {
        if what == "chart archive" {
            self.0.lock().unwrap().push(done);
        }
    }
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let half = beacon("1.0.0")[..100].to_vec();
    let site = Site::start(move |_, _| {
        let first = futures::stream::once(futures::future::ready(Ok::<_, std::io::Error>(half.clone())));
        ok(Body::from_stream(futures::StreamExt::chain(first, futures::stream::pending())))
    })
    .await;
    // Long enough for the half that comes, on a machine that is busy with other things.
    let limits = Limits { idle: Duration::from_secs(3), attempts: 2, ..Limits::default() };
    let told = Arc::new(Told::default());
    let url = Reference::Url(Url::parse(&format!("{}/a.tgz", site.url)).unwrap());
    let text = refusal(Settings { limits, progress: told.clone(), ..settings() }, &url).await;
    assert!(text.contains("was too slow: nothing came for 3 s after 100 bytes"), "{text}");
    assert_eq!(site.paths(), ["/a.tgz", "/a.tgz"]);
    assert!(!told.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_body_that_comes_in_drops_has_a_deadline() {
    let site = Site::start(|_, _| {
        let drops = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((Ok::<_, std::io::Error>(vec![b' ']), ()))
        });
        ok(Body::from_stream(drops))
    })
    .await;
    let limits = Limits { answer: Duration::from_millis(300), attempts: 1, ..Limits::default() };
    let text = refusal(Settings { limits, ..settings() }, &site.chart("beacon", None)).await;
    assert!(text.contains("the index did not arrive within 0.3 s"), "{text}");
}
