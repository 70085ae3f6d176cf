//! Why a chart could not be fetched.

use super::origin::Depth;
use super::reference::ReferenceError;
use crate::archive::ArchiveError;
use crate::pack::PackError;
use std::path::PathBuf;

/// Why a chart could not be fetched. URLs are printed without user, password and query.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A reference that arrived from the repository itself, or a version, makes no sense.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// Not a version and not a range.
    #[error("{wanted:?} is neither a version nor a range: {reason}")]
    BadVersion {
        /// What was asked for.
        wanted: String,
        /// Why not.
        reason: String,
    },
    /// 401 or 403.
    #[error("{url} answered {status} to {}", if *.with_credentials { "these credentials" } else { "a request without credentials" })]
    Denied {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
        /// Whether a user and password or token had been sent.
        with_credentials: bool,
    },
    /// 401 or 403 of another server than the one that was named.
    #[error("{url} answered {status} to a request without credentials")]
    DeniedElsewhere {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
        /// Whose server answered.
        origin: String,
        /// Which server the operator named.
        named: String,
    },
    /// 404 or 410.
    #[error("{url} has no {what}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Where.
        url: String,
    },
    /// Any other refusal, after the last try.
    #[error("{url} answered {status}{}", tried(*.attempts))]
    Status {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
        /// How often it was asked.
        attempts: u32,
        /// The beginning of what it said.
        said: String,
    },
    /// No answer at all, after the last try.
    #[error("{url} cannot be reached{}: {reason}", tried(*.attempts))]
    Unreachable {
        /// What was asked for.
        url: String,
        /// How often it was asked.
        attempts: u32,
        /// The network's words.
        reason: String,
    },
    /// The certificate does not hold.
    #[error("the certificate of {url} does not hold: {reason}")]
    Certificate {
        /// What was asked for.
        url: String,
        /// TLS's words.
        reason: String,
    },
    /// The answer stopped coming or took too long.
    #[error("{url} was too slow: {reason}")]
    Slow {
        /// What was asked for.
        url: String,
        /// Which limit it passed.
        reason: String,
    },
    /// The repository asks for a longer pause than anybody waits for.
    #[error("{url} is busy and asks to come back in {seconds} s")]
    Busy {
        /// What was asked for.
        url: String,
        /// How long.
        seconds: u64,
    },
    /// Too many redirects.
    #[error("{url} was redirected more than {limit} times, last to {to}")]
    TooManyRedirects {
        /// What was asked for.
        url: String,
        /// Where the last one led.
        to: String,
        /// How many are followed.
        limit: usize,
    },
    /// A redirect that is not followed.
    #[error("{url} redirects to {to:?}: {reason}")]
    BadRedirect {
        /// Who redirects.
        url: String,
        /// Where to.
        to: String,
        /// Why that is not followed.
        reason: String,
    },
    /// Plain http without being asked for.
    #[error("{url} is plain http: anybody on the way could put another chart in its place")]
    PlainHttp {
        /// What was to be asked.
        url: String,
        /// Another server than the one that the operator named.
        elsewhere: bool,
    },
    /// The repository points to an address that lies further inside than itself.
    #[error("{url} is at {address}, where {named} has no business to send anybody")]
    Inside {
        /// Where it points.
        url: String,
        /// The address there.
        address: String,
        /// The origin that was named by the operator.
        named: String,
    },
    /// Larger than its limit.
    #[error("the {what} at {url} is larger than {limit} bytes")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// Where it is.
        url: String,
        /// Bytes allowed.
        limit: u64,
    },
    /// An answer that is something else than it should be.
    #[error("{url} is not {expected}: {reason}")]
    WrongContent {
        /// Where it came from.
        url: String,
        /// What it should be.
        expected: &'static str,
        /// What it is instead.
        reason: String,
    },
    /// An index that is one, with something in it that is of no use.
    #[error("the index of {repository} cannot be used for this chart: {reason}")]
    BadEntry {
        /// Which repository.
        repository: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The repository has no chart of this name.
    #[error("{repository} has no chart {name:?}")]
    UnknownChart {
        /// Which repository.
        repository: String,
        /// Which name.
        name: String,
        /// Names that are close, the closest first.
        near: Vec<String>,
    },
    /// The chart has no such version.
    #[error("{repository} has no version {wanted} of {name}")]
    UnknownVersion {
        /// Which repository.
        repository: String,
        /// Which chart.
        name: String,
        /// What was asked for.
        wanted: String,
        /// Versions that are close, the newest first.
        near: Vec<String>,
        /// The newest release.
        latest: Option<String>,
    },
    /// There are only prereleases.
    #[error("{repository} has only prereleases of {name}")]
    OnlyPrereleases {
        /// Which repository.
        repository: String,
        /// Which chart.
        name: String,
        /// The newest of them.
        latest: String,
    },
    /// A registry's list of tags goes on, and so nobody knows which version is the newest.
    #[error("the list of tags at {url} has no end within {limit}: which version is the newest, or fits a range, cannot be told")]
    EndlessTags {
        /// Where it is.
        url: String,
        /// What was read of it.
        limit: String,
    },
    /// What arrived is not what it should be, byte for byte.
    #[error("the {what} at {url} has the digest {got}, and {said_by} says {expected}")]
    Digest {
        /// What arrived.
        what: &'static str,
        /// Where from.
        url: String,
        /// Who said what it should be.
        said_by: &'static str,
        /// The digest that it should have.
        expected: String,
        /// The digest that it has.
        got: String,
    },
    /// The chart inside is another one than was asked for.
    #[error("{origin} holds {got}, and {expected} was asked for")]
    WrongChart {
        /// Where it came from.
        origin: String,
        /// What was asked for.
        expected: String,
        /// What is inside.
        got: String,
    },
    /// The archive breaks a rule.
    #[error("the chart from {origin} is refused")]
    Archive {
        /// Where it came from.
        origin: String,
        /// Which rule.
        #[source]
        source: ArchiveError,
    },
    /// A folder cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A file cannot be read.
    #[error("cannot read {path:?}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The provenance speaks of another archive.
    #[error("the provenance at {url} does not vouch for this archive: {reason}")]
    Provenance {
        /// Where it came from.
        url: String,
        /// Why not.
        reason: String,
    },
    /// An OCI artifact that is no chart.
    #[error("{reference} is no Helm chart: {reason}")]
    NotAChart {
        /// Which.
        reference: String,
        /// What it is instead.
        reason: String,
    },
    /// A registry sends logins to somewhere else.
    #[error("{registry} asks for the login to be sent to {realm}, and the credentials are for {registry} only")]
    ForeignRealm {
        /// Which registry.
        registry: String,
        /// Where it sends logins to.
        realm: String,
    },
    /// Docker's configuration keeps the password in a program.
    #[error("docker's configuration keeps the login for {registry} in the credential helper {helper:?}, which is not run from here")]
    CredentialHelper {
        /// Which registry.
        registry: String,
        /// Which helper.
        helper: String,
    },
    /// Not in the cache, and the network is not to be used.
    #[error("{reference} is not in the cache")]
    Offline {
        /// What was asked for.
        reference: String,
    },
    /// In the cache, and not what it was.
    #[error("what the cache has of {reference} is damaged and was removed: it is not sha256:{digest} any more")]
    Damaged {
        /// What was asked for.
        reference: String,
        /// What it should be.
        digest: String,
    },
    /// The client itself cannot be set up.
    #[error("cannot set up TLS for {origin}: {reason}")]
    Setup {
        /// For whom.
        origin: String,
        /// Why.
        reason: String,
    },
}

fn tried(attempts: u32) -> String {
    if attempts > 1 { format!(" {attempts} times") } else { String::new() }
}

impl FetchError {
    /// What the operator does next; empty where nothing helps but to look at the repository.
    #[must_use]
    pub fn next(&self) -> String {
        match self {
            Self::Reference(error) => error.next.clone(),
            Self::BadVersion { .. } => "write a version (1.2.3) or a range as Helm does ('^1.2', '>=1.2.0 <2')".to_owned(),
            Self::Denied { with_credentials: true, .. } => "check user and password, and that the user may read this chart".to_owned(),
            Self::Denied { .. } => {
                "give --username with --password-file, or write both for this repository into the configuration; a registry that answers \
                 so may also not have the chart"
                    .to_owned()
            }
            Self::DeniedElsewhere { origin, named, .. } => format!(
                "{origin} is another server than {named}, whose credentials go nowhere else: write an entry for it, with username and \
                 password, into the configuration; where there is one, see that its passwordEnv is set"
            ),
            Self::NotFound { what: "chart archive", .. } => {
                "check the URL; where the index names it, only the repository's owner can bring it back".to_owned()
            }
            Self::NotFound { what: "index.yaml", .. } => "check the address: --repo is what stands before /index.yaml".to_owned(),
            Self::Status { .. } | Self::Busy { .. } | Self::Slow { .. } => {
                "try again later; what is in the cache is had with --offline".to_owned()
            }
            Self::Unreachable { reason, .. } if reason.contains("InvalidContentType") || reason.contains("corrupt message") => {
                "the server speaks plain http where TLS was expected: --plain-http, if that is meant".to_owned()
            }
            Self::Unreachable { .. } => {
                "check the address and the way there (HTTPS_PROXY); what is in the cache is had with --offline".to_owned()
            }
            Self::Certificate { .. } => "name the CA's certificates with --repo-ca-file or caFile in the configuration".to_owned(),
            Self::PlainHttp { elsewhere: true, .. } => {
                "--plain-http is for the server that you name: write an entry with plainHttp: true for this one into the configuration"
                    .to_owned()
            }
            Self::PlainHttp { .. } => "write https://, or say --plain-http (plainHttp: true in the configuration)".to_owned(),
            // What is there is no repository, and whoever is sent there is to be used.
            Self::Inside { address, .. } if address.parse().is_ok_and(|address| Depth::of(address) == Depth::Nowhere) => {
                "no chart is at such an address, and it is asked on nobody's word: tell the repository's owner".to_owned()
            }
            Self::BadRedirect { .. } | Self::TooManyRedirects { .. } | Self::Inside { .. } => {
                "where the place is right, name it yourself: its own address with --repo, or the .tgz's URL".to_owned()
            }
            Self::UnknownChart { near, .. } if !near.is_empty() => format!("did you mean {}?", near.join(", ")),
            Self::UnknownChart { .. } => "check the name; some registries answer so, too, where a login is missing".to_owned(),
            Self::UnknownVersion { near, latest, .. } => {
                let near = if near.is_empty() { String::new() } else { format!("near are {}", near.join(", ")) };
                let latest = latest.as_ref().map(|latest| format!("the newest release is {latest}")).unwrap_or_default();
                [near, latest].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
            }
            Self::OnlyPrereleases { latest, .. } => format!("--devel takes them too; the newest is {latest}"),
            Self::EndlessTags { .. } => "name an exact version: that one is asked for without the list".to_owned(),
            Self::Digest { said_by: "--digest" | "the reference", .. } => {
                "do not use it: what is there is another one than you named; compare your digest with where you have it from".to_owned()
            }
            Self::Digest { said_by: "the index", .. } => {
                "do not use it: when the repository was being refreshed, another try will do; anything else is for its owner to explain"
                    .to_owned()
            }
            Self::Digest { .. } => "do not use it before the registry's owner has explained it".to_owned(),
            Self::Provenance { .. } => "do not use it before the chart's owner has explained it".to_owned(),
            Self::WrongContent { .. } => "check the address; a login page answers like this too".to_owned(),
            Self::BadEntry { .. } => "only the repository's owner can put it right; another version may be usable".to_owned(),
            Self::ForeignRealm { realm, .. } => {
                format!("where that is right, write tokenUrl: {realm} for this registry into the configuration")
            }
            Self::CredentialHelper { .. } => "give --username with --password-file or --password-stdin".to_owned(),
            Self::Offline { .. } | Self::Damaged { .. } => "run it once without --offline, with the same reference".to_owned(),
            _ => String::new(),
        }
    }

    /// Whether it is the credentials that are wrong or missing.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied { .. } | Self::DeniedElsewhere { .. } | Self::ForeignRealm { .. } | Self::CredentialHelper { .. })
    }
}
