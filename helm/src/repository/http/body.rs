//! The body of an answer, as far as it is wanted.

use super::super::Settings;
use super::super::error::FetchError;
use super::super::origin::shown;
use super::Failed;
use reqwest::{Response, Url};

pub(super) struct Keep {
    pub(super) what: &'static str,
    pub(super) limit: u64,
    /// What is over the limit is left unread, for answers of which only the beginning is shown.
    pub(super) cut: bool,
}

/// Reads until the end, a limit or a deadline.
pub(super) async fn read(response: Response, url: &Url, keep: &Keep, settings: &Settings, attempt: u32) -> Result<Vec<u8>, Failed> {
    let limits = &settings.limits;
    // Nobody waits four times as long.
    let slow = |reason: String| Failed::For(FetchError::Slow { url: shown(url), reason });
    match tokio::time::timeout(limits.answer, chunks(response, url, keep, settings, attempt)).await {
        Ok(done) => done,
        Err(_) => Err(slow(format!("the {} did not arrive within {} s", keep.what, limits.answer.as_secs_f32()))),
    }
}

async fn chunks(mut response: Response, url: &Url, keep: &Keep, settings: &Settings, attempt: u32) -> Result<Vec<u8>, Failed> {
    let limits = &settings.limits;
    let too_large = || Failed::For(FetchError::TooLarge { what: keep.what, url: shown(url), limit: keep.limit });
    let total = response.content_length();
    if !keep.cut && total.is_some_and(|total| total > keep.limit) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    let begun = tokio::time::Instant::now();
    loop {
        let chunk = match tokio::time::timeout(limits.idle, response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => return Ok(body),
            Ok(Err(error)) => {
                let reason = format!("the answer broke off after {} bytes: {}", body.len(), super::client::words(&error));
                return Err(Failed::Maybe(FetchError::Unreachable { url: shown(url), attempts: attempt, reason }, None));
            }
            Err(_) => {
                let reason = format!("nothing came for {} s after {} bytes", limits.idle.as_secs_f32(), body.len());
                return Err(Failed::Maybe(FetchError::Slow { url: shown(url), reason }, None));
            }
        };
        if (body.len() + chunk.len()) as u64 > keep.limit {
            return if keep.cut { Ok(body) } else { Err(too_large()) };
        }
        body.extend_from_slice(&chunk);
        let taken = begun.elapsed();
        // Another try would be as slow.
        if taken > limits.idle && (body.len() as u128) * 1000 < u128::from(limits.slowest) * taken.as_millis() {
            let (bytes, seconds, slowest) = (body.len(), taken.as_secs_f32(), limits.slowest);
            let reason = format!("{bytes} bytes in {seconds:.1} s, and less than {slowest} bytes/s is given up");
            return Err(Failed::For(FetchError::Slow { url: shown(url), reason }));
        }
        settings.progress.bytes(keep.what, body.len() as u64, total);
    }
}
