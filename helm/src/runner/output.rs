//! What a child writes, within limits.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes kept of text that is only for people: stderr, tables, notes. 64 KiB is the size of a report.
pub const TAIL: usize = 64 << 10;

/// Bytes of an answer that is read whole. A record is at most 1 MiB of base64 and gzip; what it expands to stays below.
pub const WHOLE: usize = 32 << 20;

/// Collects one stream.
#[derive(Debug)]
pub(super) struct Capture {
    limit: usize,
    tail: bool,
    pub(super) bytes: Vec<u8>,
    /// Whether something was left out.
    pub(super) cut: bool,
}

impl Capture {
    pub(super) fn tail() -> Self {
        Self { limit: TAIL, tail: true, bytes: Vec::new(), cut: false }
    }

    pub(super) fn whole() -> Self {
        Self { limit: WHOLE, tail: false, bytes: Vec::new(), cut: false }
    }

    fn push(&mut self, chunk: &[u8]) {
        if self.tail {
            self.bytes.extend_from_slice(chunk);
            let over = self.bytes.len().saturating_sub(self.limit);
            if over > 0 {
                self.bytes.drain(..over);
                self.cut = true;
            }
        } else {
            let room = self.limit.saturating_sub(self.bytes.len()).min(chunk.len());
            self.bytes.extend_from_slice(&chunk[..room]);
            self.cut |= room < chunk.len();
        }
    }

    /// Reads to the end. What does not fit is read and dropped, so that the child never blocks on a full pipe.
    pub(super) async fn fill<R: AsyncRead + Unpin>(&mut self, stream: Option<R>) {
        let Some(mut stream) = stream else { return };
        let mut chunk = vec![0_u8; 16 << 10];
        loop {
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(read) => self.push(&chunk[..read]),
            }
        }
    }
}

/// Text for people and logs: lines stay, control characters (terminal sequences) go.
pub(super) fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let kept: String = text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect();
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_kept_and_the_whole_is_cut() {
        let (mut tail, mut whole) = (Capture::tail(), Capture { limit: 4, ..Capture::whole() });
        tail.push(&vec![b'a'; TAIL]);
        assert!(!tail.cut);
        tail.push(b"end");
        assert!(tail.cut && tail.bytes.len() == TAIL && tail.bytes.ends_with(b"aend"));
        whole.push(b"abc");
        whole.push(b"def");
        assert!(whole.cut && whole.bytes == b"abcd");
    }

    #[test]
    fn terminal_sequences_lose_their_teeth() {
        assert_eq!(plain(b"a\x1b[2Jb\x07\r\n\tc\xff\n"), "a[2Jb\n\tc\u{fffd}");
    }
}
