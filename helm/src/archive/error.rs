//! Why an archive was refused.

/// Why a chart archive was refused. Every variant names what broke which rule; paths are printed escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The compressed archive is larger than the limit.
    #[error("chart archive has {bytes} bytes, more than the {limit} that are allowed")]
    TooLarge {
        /// Bytes of the archive.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// The bytes are not gzip.
    #[error("chart archive is not gzip: it should be a .tgz as `helm package` makes it")]
    NotGzip,
    /// The gzip stream ends early or is damaged.
    #[error("chart archive is truncated or damaged: {reason}")]
    BrokenGzip {
        /// The decoder's words.
        reason: String,
    },
    /// Bytes follow the gzip stream, or data follows the end of the tar.
    #[error("chart archive has {bytes} bytes after its end")]
    TrailingData {
        /// How many bytes are too many.
        bytes: u64,
    },
    /// The expanded archive is larger than the limit.
    #[error("chart archive expands to more than {limit} bytes")]
    ExpandsTooFar {
        /// Bytes allowed.
        limit: u64,
    },
    /// The archive expands by a factor that only a bomb has.
    #[error("chart archive expands to more than {limit} times its size")]
    Ratio {
        /// Factor allowed.
        limit: u64,
    },
    /// The tar structure is damaged.
    #[error("chart archive has a damaged tar entry: {reason}")]
    BrokenTar {
        /// The decoder's words.
        reason: String,
    },
    /// More entries than allowed.
    #[error("chart archive has more than {limit} entries")]
    TooManyFiles {
        /// Entries allowed.
        limit: usize,
    },
    /// One file is larger than allowed.
    #[error("{path:?} has {bytes} bytes, more than the {limit} that are allowed for one file")]
    FileTooLarge {
        /// Path in the archive.
        path: String,
        /// Bytes of the file.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A link, device, sparse file or the like.
    #[error("{path:?} is a {kind}: only files and folders are allowed")]
    NotAFile {
        /// Path in the archive.
        path: String,
        /// What it is.
        kind: String,
    },
    /// A path that is not UTF-8.
    #[error("path {path:?} is not UTF-8")]
    PathNotUtf8 {
        /// Path, with the bad bytes replaced.
        path: String,
    },
    /// A path longer than the limit.
    #[error("path {path:?} is longer than {limit} bytes")]
    PathTooLong {
        /// The beginning of the path.
        path: String,
        /// Bytes allowed.
        limit: usize,
    },
    /// A file's or folder's name longer than file systems take.
    #[error("path {path:?} has a name of {bytes} bytes, more than the {limit} that file systems take")]
    NameTooLong {
        /// Path in the archive.
        path: String,
        /// Bytes of the name.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// An absolute path, or one with a drive letter.
    #[error("path {path:?} is absolute")]
    PathAbsolute {
        /// Path in the archive.
        path: String,
    },
    /// A path with `..`, `.` or an empty part.
    #[error("path {path:?} has a part {part:?}")]
    PathPart {
        /// Path in the archive.
        path: String,
        /// The part that is not allowed.
        part: String,
    },
    /// A path with a backslash, NUL or other control character.
    #[error("path {path:?} has the character {character:?}")]
    PathCharacter {
        /// Path in the archive.
        path: String,
        /// The character that is not allowed.
        character: char,
    },
    /// The same path twice, or a file where another path needs a folder.
    #[error("path {path:?} is there twice")]
    Duplicate {
        /// Path in the archive.
        path: String,
    },
    /// Two paths that differ in nothing but case or Unicode's normal form.
    #[error("{first:?} and {second:?} are one file where case or Unicode's normal form is ignored")]
    Indistinct {
        /// The path seen first.
        first: String,
        /// The path that meets it.
        second: String,
    },
    /// A pax header that readers understand differently.
    #[error("{path:?} has the tar header {key:?}, which readers understand differently")]
    PaxHeader {
        /// Path in the archive.
        path: String,
        /// The header's key.
        key: String,
    },
    /// A path, or a folder, that git takes for a repository of its own.
    #[error("{path:?} is a repository to git, which runs what is configured in one: pack the chart without it (.helmignore)")]
    GitRepository {
        /// Path in the archive.
        path: String,
    },
    /// More than one folder at the top, or a file beside it.
    #[error("chart archive has {second:?} beside the folder {first:?}: one folder at the top is allowed")]
    TwoTopFolders {
        /// The folder seen first.
        first: String,
        /// What stands beside it.
        second: String,
    },
    /// No `Chart.yaml`.
    #[error("{chart:?} has no Chart.yaml")]
    NoChartYaml {
        /// The folder that should have it; empty for an archive without entries.
        chart: String,
    },
    /// `Chart.yaml` or `requirements.yaml` is not what Helm reads.
    #[error("{path:?} cannot be read: {reason}")]
    Metadata {
        /// Path in the archive.
        path: String,
        /// Where and why.
        reason: String,
    },
    /// A chart name outside `^[a-z0-9][a-z0-9-]{{0,52}}$`.
    #[error("{path:?}: name {name:?} must match ^[a-z0-9][a-z0-9-]{{0,52}}$")]
    BadName {
        /// Path of the Chart.yaml.
        path: String,
        /// The name.
        name: String,
    },
    /// A version that is not SemVer 2.
    #[error("{path:?}: version {version:?} is not a SemVer version: {reason}")]
    BadVersion {
        /// Path of the Chart.yaml.
        path: String,
        /// The version.
        version: String,
        /// Why not.
        reason: String,
    },
    /// An `apiVersion` other than v1 and v2.
    #[error("{path:?}: apiVersion {api_version:?} is neither v1 nor v2")]
    BadApiVersion {
        /// Path of the Chart.yaml.
        path: String,
        /// The apiVersion.
        api_version: String,
    },
    /// The top folder has another name than the chart.
    #[error("the folder {folder:?} holds a chart named {name:?}: the two must be equal")]
    NameMismatch {
        /// The top folder.
        folder: String,
        /// Name in Chart.yaml.
        name: String,
    },
    /// A dependency that is not in `charts/`.
    #[error("{chart:?} depends on {dependency:?}, which is not in its charts/: run `helm dependency build` and pack again")]
    NotVendored {
        /// Name of the chart.
        chart: String,
        /// Name of the dependency.
        dependency: String,
    },
    /// Charts within charts too deep.
    #[error("{path:?} is nested more than {limit} charts deep")]
    TooDeep {
        /// Path of the subchart.
        path: String,
        /// Levels allowed.
        limit: usize,
    },
    /// More charts within charts than allowed, each counted once for every alias.
    #[error("chart archive has more than {limit} charts in it, each counted once for every alias: take dependencies or aliases out")]
    TooManyCharts {
        /// Charts allowed.
        limit: usize,
    },
    /// The charts within charts hold more than allowed, each counted once for every alias.
    #[error("the charts in the archive hold more than {limit} bytes, each counted once for every alias: take dependencies or aliases out")]
    AliasesTooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// `values.schema.json` is not one that is allowed here.
    #[error("{path:?} is refused")]
    Schema {
        /// Path in the archive.
        path: String,
        /// What is wrong with it.
        #[source]
        source: crate::schema::SchemaError,
    },
    /// A rule broken inside a vendored archive.
    #[error("in the vendored archive {path:?}")]
    Nested {
        /// Path of the vendored .tgz.
        path: String,
        /// Which rule.
        #[source]
        source: Box<ArchiveError>,
    },
}
