//! The list of a chart's tags, page after page. A list that was not read to its end would name the wrong version as the newest,
//! because registries sort tags as texts: it is an error.

use super::super::error::FetchError;
use super::super::index::looks_like;
use super::super::origin::shown;
use super::auth::Registry;
use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};

#[derive(serde::Deserialize)]
struct Page {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

const WHAT: &str = "list of tags";

/// All tags, as versions.
pub(super) async fn all(registry: &Registry<'_>) -> Result<Vec<String>, FetchError> {
    let limits = &registry.settings().limits;
    let first = registry.url("tags/list?n=1000")?;
    match tokio::time::timeout(limits.tag_time, pages(registry, &first)).await {
        Ok(done) => done,
        Err(_) => Err(endless(&first, format!("{} s", limits.tag_time.as_secs_f32()))),
    }
}

fn endless(url: &Url, limit: String) -> FetchError {
    FetchError::EndlessTags { url: shown(url), limit }
}

async fn pages(registry: &Registry<'_>, first: &Url) -> Result<Vec<String>, FetchError> {
    let limits = &registry.settings().limits;
    let wrong = |url: &Url, reason: String| FetchError::WrongContent { url: shown(url), expected: "a list of tags", reason };
    let (mut url, mut tags, mut room) = (first.clone(), Vec::new(), limits.tag_bytes);
    for _ in 0..limits.tag_pages {
        let answer = match registry.get(&url, WHAT, room, Some("application/json")).await {
            Err(FetchError::TooLarge { .. }) => return Err(endless(first, format!("{} bytes", limits.tag_bytes))),
            answer => answer?.ok(WHAT)?,
        };
        room = room.saturating_sub(answer.body.len() as u64);
        let page: Page = serde_json::from_slice(&answer.body).map_err(|error| {
            let what = looks_like(&answer.body);
            wrong(&url, what.map_or_else(|| error.to_string(), |what| format!("it is {what}")))
        })?;
        tags.extend(page.tags.unwrap_or_default().into_iter().map(|tag| tag.replace('_', "+")));
        let Some(link) = next_link(&answer.headers) else { return Ok(tags) };
        let next = on_same_origin(&url, &link).ok_or_else(|| wrong(&url, "the link to its next page is no URL".to_owned()))?;
        if next == url {
            return Err(wrong(&url, "its pages lead in a circle".to_owned()));
        }
        url = next;
    }
    Err(endless(first, format!("{} pages", limits.tag_pages)))
}

/// Path and query of a link, on the server that was asked: a registry behind a proxy does not know under what name it is asked,
/// and no other server is asked because a registry says so.
fn on_same_origin(asked: &Url, link: &str) -> Option<Url> {
    let linked = asked.join(link).ok().filter(|linked| !linked.cannot_be_a_base())?;
    let mut next = asked.clone();
    next.set_path(linked.path());
    next.set_query(linked.query());
    Some(next)
}

/// The target of the link with `rel="next"` (RFC 8288), of several links and several headers.
fn next_link(headers: &HeaderMap) -> Option<String> {
    let texts = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    texts.into_iter().flat_map(|text| text.split('<').skip(1)).find_map(|link| {
        let (target, parameters) = link.split_once('>')?;
        let next = parameters.split([';', ',']).filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
            let relations = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel") && relations.split(' ').any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        next.then(|| target.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        let found = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(LINK, line.parse().unwrap());
            }
            next_link(&headers)
        };
        for lines in [
            &["</a?b>; rel=\"next\""][..],
            &["</a?b>;rel=next"],
            &["</z>; rel=\"first\", </a?b>; title=\"x\"; rel=\"last next\""],
            &["</z>; rel=prev", "</a?b>; REL=Next"],
        ] {
            assert_eq!(found(lines).as_deref(), Some("/a?b"), "{lines:?}");
        }
        for lines in [&[][..], &["</a>; rel=\"prev\""], &["</a>; title=\"next\""], &["/a; rel=next"], &["</a>; rel=\"nextish\""]] {
            assert_eq!(found(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn a_page_is_asked_of_the_server_that_was_asked() {
        let asked = Url::parse("https://proxy.example/v2/c/tags/list?n=1000").unwrap();
        let next = |link: &str| on_same_origin(&asked, link).map(|url| url.to_string());
        let expected = Some("https://proxy.example/v2/c/tags/list?last=b".to_owned());
        for link in ["/v2/c/tags/list?last=b", "?last=b", "http://10.0.0.1:5000/v2/c/tags/list?last=b", "//r/v2/c/tags/list?last=b"] {
            assert_eq!(next(link), expected, "{link}");
        }
        assert!(next("mailto:a").is_none() && next("http://[").is_none());
    }
}
