//! How much is taken from a repository, and how long it may take.

use std::time::Duration;

/// Limits of one fetch. Each is what an honest repository stays far below.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of an `index.yaml`. The largest public ones have about 20 MB; three times that.
    pub index: u64,
    /// Versions of one chart in an index: an index of 64 MiB has room for 220,000 of 300 bytes, which is a short one. The most
    /// that was seen is about 2,000.
    pub versions: usize,
    /// Charts in an index, all of them remembered by name for "did you mean".
    pub charts: usize,
    /// Bytes of an archive: what [`crate::archive::Limits`] takes.
    pub archive: u64,
    /// Bytes of a provenance: a Chart.yaml, a line for each file and a signature.
    pub provenance: u64,
    /// Bytes of an OCI manifest; 4 MiB is what the distribution specification demands of registries.
    pub manifest: u64,
    /// Bytes of a token answer or a refusal. Tokens with many scopes reach 10 KB.
    pub small: u64,
    /// Pages of a list of tags. 1,000 tags a page are asked for, and some registries give 100 all the same: of those 600 pages are
    /// 60,000 tags.
    pub tag_pages: usize,
    /// Bytes of all these pages: 60,000 tags of 128 bytes, which is their longest, with quotes and commas are 7.9 MB.
    pub tag_bytes: u64,
    /// For all these pages: 600 at 0.4 s, twice what a registry on another continent takes.
    pub tag_time: Duration,
    /// Redirects of one request: to a mirror, to its storage, and one to spare.
    pub redirects: usize,
    /// Tries of one request in all.
    pub attempts: u32,
    /// The first delay is drawn from zero to this; each later one from twice as much.
    pub first_delay: Duration,
    /// The longest delay that a repository may ask for by `Retry-After`: somebody sits in front of the terminal.
    pub longest_delay: Duration,
    /// To connect, TLS included.
    pub connect: Duration,
    /// To the first byte of an answer, and between any two parts of it.
    pub idle: Duration,
    /// Bytes per second, on the average, below which an answer is given up once [`Limits::idle`] has passed. The slowest mobile
    /// links carry five times this; a server that sends a byte now and then is stuck or means harm.
    pub slowest: u64,
    /// For one answer with its body, an index or an archive: 20 MiB at 70 KB/s, the slowest link worth waiting on.
    pub answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            index: 64 << 20,
            versions: 250_000,
            charts: 50_000,
            archive: crate::archive::Limits::DEFAULT.compressed,
            provenance: 1 << 20,
            manifest: 4 << 20,
            small: 256 << 10,
            tag_pages: 600,
            tag_bytes: 8 << 20,
            tag_time: Duration::from_secs(240),
            redirects: 3,
            attempts: 4,
            first_delay: Duration::from_millis(500),
            longest_delay: Duration::from_secs(30),
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            slowest: 1 << 10,
            answer: Duration::from_secs(300),
        }
    }
}
