//! The archives, each with what must become of it.

use flate2::Compression;
use tar::EntryType;

use super::{CHART_YAML, Chance, Tar, gzip, gzip_at, record};

/// One archive.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is special about it.
    pub what: &'static str,
    /// The archive.
    pub bytes: Vec<u8>,
    /// `read`, `read, values refused`, or the error's variant, `Nested > …` for one inside a vendored archive.
    pub expect: &'static str,
}

macro_rules! table {
    ($($what:literal, $bytes:expr => $expect:literal;)*) => {
        vec![$(Case { what: $what, bytes: Packed::packed($bytes), expect: $expect }),*]
    };
}

trait Packed {
    fn packed(self) -> Vec<u8>;
}

impl Packed for Tar {
    fn packed(self) -> Vec<u8> {
        self.tgz()
    }
}

impl Packed for Vec<u8> {
    fn packed(self) -> Vec<u8> {
        self
    }
}

/// All of them.
#[must_use]
pub fn table() -> Vec<Case> {
    [honest(), paths(), kinds(), doubles(), names(), headers(), ends(), sizes(), metadata(), nested(), schemas()].concat()
}

fn good() -> Tar {
    Tar::good()
}

fn link(kind: EntryType, to: &str) -> Tar {
    good().spoilt(b"beacon/Chart.lock", b"", |header| {
        header.set_entry_type(kind);
        header.as_old_mut().linkname[..to.len()].copy_from_slice(to.as_bytes());
    })
}

/// What real packers write. These must pass, or the rules are too narrow.
fn honest() -> Vec<Case> {
    let long = format!("beacon/{}x", "d/".repeat(200));
    table! {
        "a chart in order", good() => "read";
        "entries for folders", good().entry(EntryType::Directory, b"beacon/t/", b"").file("beacon/t/a", b"1") => "read";
        "a long path by pax", good().pax("path", long.as_bytes()).file("cut", b"1") => "read";
        "a long path by GNU", good().long_name(&long).file("cut", b"1") => "read";
        "a long path by ustar's prefix", good().spoilt(b"x", b"1", |h| set(h, 345, b"beacon/prefix")) => "read";
        "a name of 255 bytes", good().pax("path", format!("beacon/{}", "x".repeat(255)).as_bytes()).file("cut", b"1") => "read";
        "GNU headers", good().gnu(b"beacon/gnu", b"1", |_| {}) => "read";
        "git archive's comment", Tar::default().global("comment", b"f4713aa").file("beacon/Chart.yaml", CHART_YAML.as_bytes()) => "read";
        "times and owners by pax", good().pax("mtime", b"1700000000.123456789").file("beacon/x", b"") => "read";
        "set-uid, owner 4 billion, no time", good().gnu(b"beacon/x", b"", |h| { h.set_mode(0o6777); h.set_uid(1 << 32); h.set_mtime(0); }) => "read";
        "owner left empty", good().spoilt(b"beacon/x", b"", |h| set(h, 108, &[0; 8])) => "read";
        "a byte order mark", Tar::of(&format!("\u{feff}{CHART_YAML}")) => "read";
        "an application version that looks like a number", Tar::of("name: beacon\nversion: 1.0.0\nappVersion: 1.10\n") => "read";
        "a name of digits", Tar::default().file("2048/Chart.yaml", b"name: 2048\nversion: 1.0.0\n") => "read";
        "a version with v", Tar::of("name: beacon\nversion: v1.0.0\n") => "read";
        "padding after the end", gzip(&[good().bytes(), vec![0; 9216]].concat()) => "read";
        "a vendored chart's signature", vendored(mast()).file("beacon/charts/mast-1.0.0.tgz.prov", b"x") => "read";
        "what git's users have, too", good().file("beacon/.gitignore", b"x").file("beacon/.github/x", b"x").file("beacon/HEAD", b"x") => "read";
        "an editor's leftovers in charts/", good().file("beacon/charts/_x", b"x").file("beacon/charts/.y/z", b"x") => "read";
        "a vendored chart", vendored(mast()) => "read";
        "the same list in requirements.yaml", with_requirements("- name: mast\n", "dependencies:\n- name: mast\n") => "read";
    }
}

fn paths() -> Vec<Case> {
    let at = |path: &str| good().file(path, b"x");
    table! {
        "a way out", at("beacon/../../etc/passwd") => "PathPart";
        "a way out at once", at("../x") => "PathPart";
        "a folder that is a way out", good().entry(EntryType::Directory, b"beacon/../", b"") => "PathPart";
        "a dot", at("beacon/./x") => "PathPart";
        "an empty part", at("beacon//x") => "PathPart";
        "a file that ends like a folder", at("beacon/x/") => "PathPart";
        "no path", at("") => "PathPart";
        "absolute", at("/etc/passwd") => "PathAbsolute";
        "a drive", at("C:/windows") => "PathAbsolute";
        "a drive further in", at("beacon/c:/x") => "PathAbsolute";
        "backslashes", at("beacon\\..\\x") => "PathCharacter";
        "another machine's share", at("\\\\host\\x") => "PathCharacter";
        "an escape sequence", at("beacon/\u{1b}[2J") => "PathCharacter";
        "a delete", at("beacon/\u{7f}") => "PathCharacter";
        "a C1 control", at("beacon/\u{9b}2J") => "PathCharacter";
        "text turned round", at("beacon/values\u{202e}lmay.") => "PathCharacter";
        "a NUL by pax", good().pax("path", b"beacon/a\0b").file("beacon/x", b"") => "PathCharacter";
        "a NUL by GNU", good().long_name("beacon/a\0b").file("beacon/x", b"") => "PathCharacter";
        "not UTF-8", good().entry(EntryType::Regular, b"beacon/\xff", b"") => "PathNotUtf8";
        "half a surrogate", good().entry(EntryType::Regular, b"beacon/\xed\xa0\x80", b"") => "PathNotUtf8";
        "too long by pax", good().pax("path", format!("beacon/{}", "x".repeat(1100)).as_bytes()).file("x", b"") => "PathTooLong";
        "too long by GNU", good().long_name(&format!("beacon/{}", "x".repeat(1100))).file("x", b"") => "PathTooLong";
        "a name of 256 bytes", good().pax("path", format!("beacon/{}", "x".repeat(256)).as_bytes()).file("x", b"") => "NameTooLong";
        "a folder's name of 256 bytes", good().long_name(&format!("beacon/{}/x", "x".repeat(256))).file("x", b"") => "NameTooLong";
        "out by pax", good().pax("path", b"/etc/passwd").file("beacon/x", b"") => "PathAbsolute";
        "out by GNU", good().long_name("beacon/../../x").file("beacon/x", b"") => "PathPart";
        "out by ustar's prefix", good().spoilt(b"x", b"", |h| set(h, 345, b"beacon/..")) => "PathPart";
        "git's folder", at("beacon/.git/config") => "GitRepository";
        "git's folder for Windows", at("beacon/a/GIT~1/config") => "GitRepository";
        "git's folder for macOS", at("beacon/.g\u{feff}it/config") => "GitRepository";
        "git's folder, a file", at("beacon/.git") => "GitRepository";
        "git's folder, empty", good().entry(EntryType::Directory, b"beacon/.Git/", b"") => "GitRepository";
        "git's folder in a vendored archive", vendored(mast().file("mast/.git/config", b"")) => "Nested > GitRepository";
        "a bare repository", at("beacon/x/HEAD").file("beacon/x/objects/a", b"").file("beacon/x/refs/a", b"") => "GitRepository";
        "a bare repository at the top", at("beacon/HEAD").file("beacon/Objects/a", b"").file("beacon/refs/a", b"") => "GitRepository";
        "a repository that is elsewhere", at("beacon/x/HEAD").file("beacon/x/commondir", b"../y") => "GitRepository";
        "a second folder at the top", at("other/x") => "TwoTopFolders";
        "a file beside the folder", at("loose") => "TwoTopFolders";
        "no folder", Tar::default().file("Chart.yaml", CHART_YAML.as_bytes()) => "NoChartYaml";
        "nothing in it", Tar::default() => "NoChartYaml";
        "no Chart.yaml", Tar::default().file("beacon/values.yaml", b"a: 1") => "NoChartYaml";
    }
}

fn kinds() -> Vec<Case> {
    let kind = |byte: u8| link(EntryType::new(byte), "");
    table! {
        "a symbolic link", link(EntryType::Symlink, "/etc/passwd") => "NotAFile";
        "a hard link", link(EntryType::Link, "beacon/values.yaml") => "NotAFile";
        "a link with a long target", good().entry(EntryType::GNULongLink, b"././@LongLink", b"/etc\0") => "NotAFile";
        "a character device", kind(b'3') => "NotAFile";
        "a block device", kind(b'4') => "NotAFile";
        "a pipe", kind(b'6') => "NotAFile";
        "a contiguous file", kind(b'7') => "NotAFile";
        "a GNU sparse file of 8 GiB", good().entry(EntryType::GNUSparse, b"beacon/x", b"") => "NotAFile";
        "a pax sparse file", good().pax("GNU.sparse.major", b"1").file("beacon/x", b"") => "PaxHeader";
        "an old pax sparse file", good().pax("GNU.sparse.size", b"8589934592").file("beacon/x", b"") => "PaxHeader";
        "a list of a folder", kind(b'D') => "NotAFile";
        "a volume", kind(b'V') => "NotAFile";
        "the rest of a volume", kind(b'M') => "NotAFile";
        "Solaris' pax", kind(b'X') => "NotAFile";
        "what nobody knows", kind(b'Z') => "NotAFile";
    }
}

fn doubles() -> Vec<Case> {
    table! {
        "a file twice", good().file("beacon/values.yaml", b"b: 2") => "Duplicate";
        "a file twice, once by pax", good().pax("path", b"beacon/values.yaml").file("beacon/x", b"b: 2") => "Duplicate";
        "a file where a folder is needed", good().file("beacon/values.yaml/x", b"") => "Duplicate";
        "a folder where a file is", good().file("beacon/a/b", b"").file("beacon/a", b"") => "Duplicate";
        "a folder twice", good().entry(EntryType::Directory, b"beacon/t/", b"").entry(EntryType::Directory, b"beacon/t/", b"") => "Duplicate";
        "a file twice but for its case", good().file("beacon/Values.yaml", b"b: 2") => "Indistinct";
        "a folder twice but for its case", good().file("beacon/a/x", b"").file("beacon/A/y", b"") => "Indistinct";
        "one name, composed and not", good().file("beacon/\u{e9}", b"").file("beacon/e\u{301}", b"") => "Indistinct";
        "an Angstrom and a ring", good().file("beacon/\u{212b}", b"").file("beacon/\u{e5}", b"") => "Indistinct";
    }
}

/// One name for one reader and another for the next.
fn names() -> Vec<Case> {
    let twice = [record("path", b"beacon/a"), record("path", b"beacon/b")].concat();
    let lies = b"99 path=beacon/a\n";
    let newline = [record("comment", b"a\n17 path=beacon/b"), record("path", b"beacon/a")].concat();
    table! {
        "two paths in one pax header", good().entry(EntryType::XHeader, b"pax", &twice).file("beacon/x", b"") => "PaxHeader";
        "two pax headers", good().pax("path", b"beacon/a").pax("path", b"beacon/b").file("beacon/x", b"") => "BrokenTar";
        "pax and a long name", good().pax("path", b"beacon/a").long_name("beacon/b").file("beacon/x", b"") => "PaxHeader";
        "a long name and pax", good().long_name("beacon/b").pax("path", b"beacon/a").file("beacon/x", b"") => "PaxHeader";
        "two long names", good().long_name("beacon/a").long_name("beacon/b").file("beacon/x", b"") => "BrokenTar";
        "an empty path by pax", good().pax("path", b"").file("beacon/x", b"") => "PaxHeader";
        "a path for all", good().global("path", b"beacon/a").file("beacon/x", b"") => "PaxHeader";
        "a size for all", good().global("size", b"0").file("beacon/x", b"1") => "PaxHeader";
        "a global header in between", good().pax("path", b"beacon/a").global("comment", b"c").file("beacon/x", b"") => "BrokenTar";
        "a size by pax", good().pax("size", b"0").file("beacon/x", b"1") => "PaxHeader";
        "another character set", good().pax("hdrcharset", b"BINARY").file("beacon/x", b"") => "PaxHeader";
        "an owner that is no number", good().pax("uid", b"root").file("beacon/x", b"") => "PaxHeader";
        "a pax record that lies about its length", good().entry(EntryType::XHeader, b"pax", lies).file("beacon/x", b"") => "BrokenTar";
        "a pax record within a pax record", good().entry(EntryType::XHeader, b"pax", &newline).file("beacon/x", b"") => "read";
        "a pax header for nothing", good().pax("path", b"beacon/a") => "BrokenTar";
        "a long name for nothing", good().long_name("beacon/a") => "BrokenTar";
    }
}

fn headers() -> Vec<Case> {
    let file = || good().file("beacon/x", b"").bytes();
    let size = |field: &'static [u8; 12]| good().spoilt(b"beacon/x", b"1", |h| set(h, 124, field));
    let hidden = Tar::default().file("beacon/hidden", b"x").unended();
    let mut sum = file();
    sum[2048] ^= 1;
    table! {
        "a wrong checksum", gzip(&sum) => "BrokenTar";
        "a folder with content", good().entry(EntryType::Directory, b"beacon/t/", &hidden) => "BrokenTar";
        "a size in base 256", size(b"\x80\0\0\0\0\0\0\0\0\0\0\x01") => "BrokenTar";
        "a negative size in base 256", size(&[0xff; 12]) => "BrokenTar";
        "a negative size", size(b"-0000000001\0") => "BrokenTar";
        "a size with a sign", size(b"+0000000001\0") => "BrokenTar";
        "a size with more behind it", size(b"1\0 7777777\0\0") => "BrokenTar";
        "a size in another base", size(b"00000000008\0") => "BrokenTar";
        "a size beyond the archive", size(b"00000077777\0") => "BrokenTar";
        "8 GiB", size(b"77777777777\0") => "FileTooLarge";
        "a header from before ustar", good().old(b"beacon/x", b"") => "BrokenTar";
        "another version of ustar", good().spoilt(b"x", b"", |h| { set(h, 263, b"77"); set(h, 345, b"beacon"); }) => "BrokenTar";
        "Schily's header", good().spoilt(b"beacon/x", b"", |h| set(h, 508, b"tar\0")) => "BrokenTar";
        "a prefix under GNU", good().gnu(b"beacon/x", b"", |h| set(h, 345, b"beacon/templates")) => "BrokenTar";
        "a mode that is no number", good().spoilt(b"beacon/x", b"", |h| set(h, 100, b"rwxrwxrw")) => "BrokenTar";
        "a time beyond all", good().spoilt(b"beacon/x", b"", |h| set(h, 136, b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")) => "BrokenTar";
    }
}

fn ends() -> Vec<Case> {
    let tgz = good().tgz();
    let mut sum = tgz.clone();
    let at = sum.len() - 8;
    sum[at] ^= 1;
    let mut length = tgz.clone();
    length[at + 4] ^= 1;
    table! {
        "nothing", Vec::new() => "NotGzip";
        "zip", b"PK\x03\x04".to_vec() => "NotGzip";
        "xz", b"\xfd7zXZ\0".to_vec() => "NotGzip";
        "zstd", b"\x28\xb5\x2f\xfd".to_vec() => "NotGzip";
        "a bare tar", good().bytes() => "NotGzip";
        "gzip in gzip", gzip(&tgz) => "BrokenTar";
        "half of it", tgz[..tgz.len() / 2].to_vec() => "BrokenGzip";
        "a wrong sum", sum => "BrokenGzip";
        "a wrong length", length => "BrokenGzip";
        "text behind it", [tgz.as_slice(), b"more"].concat() => "TrailingData";
        "zeros behind it", [tgz.as_slice(), &[0; 512]].concat() => "TrailingData";
        "a second gzip member", [tgz.as_slice(), &tgz].concat() => "TrailingData";
        "a second tar", gzip(&[good().bytes(), good().file("beacon/hidden", b"x").bytes()].concat()) => "TrailingData";
        "no end mark", gzip(&good().unended()) => "BrokenTar";
        "half an end mark", gzip(&[good().unended(), vec![0; 512]].concat()) => "BrokenTar";
    }
}

fn sizes() -> Vec<Case> {
    let many = (0..10_001_u64).fold(good(), |tar, n| tar.file(&format!("beacon/{n}"), b""));
    table! {
        "a bomb", good().file("beacon/zeros", &vec![0; 2 << 20]) => "Ratio";
        "a file of more than 5 MiB", stored(good().file("beacon/noise", &Chance(1).bytes((5 << 20) + 1))) => "FileTooLarge";
        "10,001 files", stored(many) => "TooManyFiles";
        "more than 20 MiB", vec![0x1f; (20 << 20) + 1] => "TooLarge";
        "a small file of zeros", good().file("beacon/zeros", &vec![0; 500 << 10]) => "read";
    }
}

fn metadata() -> Vec<Case> {
    let name = |name: &str| Tar::of(&format!("name: {name}\nversion: 1.0.0\n"));
    let version = |version: &str| Tar::of(&format!("name: beacon\nversion: {version}\n"));
    let also = |line: &str| Tar::of(&format!("{CHART_YAML}{line}\n"));
    let deep = "[".repeat(20_000);
    table! {
        "a version of 128 characters", Tar::of(&format!("name: beacon\nversion: 1.0.0-{}\n", "a".repeat(122))) => "read";
        "a version of 129 characters", Tar::of(&format!("name: beacon\nversion: 1.0.0-{}\n", "a".repeat(123))) => "BadVersion";
        "a folder of another name", name("other") => "NameMismatch";
        "the name ..", name("..") => "BadName";
        "the name .", name(".") => "BadName";
        "the name of a flag", name("--kubeconfig=x") => "BadName";
        "a name with a slash", name("a/b") => "BadName";
        "a name in capitals", name("Beacon") => "BadName";
        "a name of 54 letters", name(&"a".repeat(54)) => "BadName";
        "no name", name("''") => "BadName";
        "a name that is true to Helm", Tar::default().file("on/Chart.yaml", b"name: on\nversion: 1.0.0\n") => "Metadata";
        "a name that is 8 to Helm", Tar::default().file("010/Chart.yaml", b"name: 010\nversion: 1.0.0\n") => "Metadata";
        "a version in two parts", version("1.0") => "BadVersion";
        "a version that clears the screen", version("\"1.0.0\\e[2J\"") => "BadVersion";
        "no version", version("''") => "BadVersion";
        "apiVersion v3", Tar::of("apiVersion: v3\nname: beacon\nversion: 1.0.0\n") => "BadApiVersion";
        "a name twice", also("name: other") => "Metadata";
        "a Name beside the name", also("Name: other") => "Metadata";
        "Dependencies", also("Dependencies: [{name: mast}]") => "Metadata";
        "dependencies with a long s", also("dependencie\u{17f}: [{name: mast}]") => "Metadata";
        "a dependency's Alias", also("dependencies: [{name: mast, Alias: pole}]") => "Metadata";
        "a name in requirements.yaml", good().file("beacon/requirements.yaml", b"name: other") => "Metadata";
        "a Version in requirements.yaml", good().file("beacon/requirements.yaml", b"Version: 9.9.9") => "Metadata";
        "two lists of dependencies", with_requirements("- name: mast\n", "dependencies:\n- name: mast\n  alias: pole\n") => "Metadata";
        "a dependency that is not there", also("dependencies: [{name: mast}]") => "NotVendored";
        "a dependency of requirements.yaml", good().file("beacon/requirements.yaml", b"dependencies: [{name: mast}]") => "NotVendored";
        "no YAML", Tar::of("name: [\n") => "Metadata";
        "a list", Tar::of("- name: beacon\n") => "Metadata";
        "not UTF-8", Tar::default().file("beacon/Chart.yaml", b"name: beacon\nversion: 1.0.0\ndescription: \xff\n") => "Metadata";
        "UTF-16", Tar::default().file("beacon/Chart.yaml", b"\xff\xfen\0a\0") => "Metadata";
        "two documents", also("---\nname: other\nversion: 1.0.0") => "Metadata";
        "aliases that unfold to a billion", also(&laughs("annotations")) => "Metadata";
        "20,000 brackets", also(&format!("annotations: {deep}")) => "Metadata";
        "20,000 braces", also(&format!("annotations: {}", "{a: ".repeat(20_000))) => "Metadata";
        "a Chart.yaml of 2 MiB", stored(also(&format!("description: {}", "x".repeat(2 << 20)))) => "Metadata";
        "a Chart.yaml of 10 MB", stored(Tar::default().file("beacon/Chart.yaml", &Chance(1).bytes(10_000_000))) => "FileTooLarge";
        "values whose aliases unfold to a billion", Tar::of(CHART_YAML).file("beacon/values.yaml", laughs("a").as_bytes()) => "read, values refused";
        "values of 20,000 brackets", Tar::of(CHART_YAML).file("beacon/values.yaml", format!("a: {deep}").as_bytes()) => "read, values refused";
        "values that hold themselves", Tar::of(CHART_YAML).file("beacon/values.yaml", b"a: &a [*a]\n") => "read, values refused";
        "values that are not UTF-8", Tar::of(CHART_YAML).file("beacon/values.yaml", b"a: \xff\n") => "read, values refused";
    }
}

fn nested() -> Vec<Case> {
    let (mut packed, mut folders) = (mast(), good());
    let mut path = "beacon".to_owned();
    for _ in 0..5 {
        packed = mast().file("mast/charts/mast-1.0.0.tgz", &packed.tgz());
        path += "/charts/a";
        folders = folders.file(&format!("{path}/Chart.yaml"), b"name: a\nversion: 1.0.0\n");
    }
    table! {
        "a way out of a vendored archive", vendored(mast().file("mast/../x", b"")) => "Nested > PathPart";
        "a link in a vendored archive", vendored(mast().entry(EntryType::Symlink, b"mast/l", b"")) => "Nested > NotAFile";
        "a bomb in a vendored archive", vendored(mast().file("mast/zeros", &vec![0; 2 << 20])) => "Nested > Ratio";
        "a vendored archive that is none", good().file("beacon/charts/mast-1.0.0.tgz", b"x") => "Nested > NotGzip";
        "a vendored chart of another name", vendored(Tar::default().file("mast/Chart.yaml", b"name: pole\nversion: 1.0.0\n")) => "Nested > NameMismatch";
        "a bad name in a folder", good().file("beacon/charts/a/Chart.yaml", b"name: ..\nversion: 1.0.0\n") => "BadName";
        "a folder that is no chart", good().file("beacon/charts/a/x", b"") => "NoChartYaml";
        "a file in charts/ that is no chart", good().file("beacon/charts/README.md", b"x") => "NoChartYaml";
        "a folder in charts/ that is named like an archive", good().file("beacon/charts/a.tgz/Chart.yaml", b"name: a\nversion: 1.0.0\n") => "NoChartYaml";
        "archives six deep", vendored(packed) => "Nested > Nested > Nested > Nested > TooDeep";
        "folders five deep", folders => "TooDeep";
        "a chart under 999 aliases", aliased("a", &[999], b"") => "read";
        "a chart under 1,000 aliases", aliased("a", &[1_000], b"") => "TooManyCharts";
        "30 aliases in each of four levels", aliased("a", &[30; 4], b"") => "TooManyCharts";
        "a chart of 1 MiB under 101 aliases", stored(aliased("a", &[101], &Chance(1).bytes(1 << 20))) => "AliasesTooLarge";
        "an alias of 700 KB around 200 others", stored(aliased(&"a".repeat(700_000), &[1, 200], b"")) => "AliasesTooLarge";
    }
}

/// Charts in each other, each under so many aliases, and a file in the innermost.
fn aliased(first: &str, levels: &[usize], file: &[u8]) -> Tar {
    let list = |level: usize| {
        let alias = if level == 0 { first } else { "a" };
        let count = levels.get(level).copied().unwrap_or_default();
        format!("dependencies:\n{}", (0..count).map(|n| format!("- {{name: mast, alias: {alias}{n}}}\n")).collect::<String>())
    };
    let mut path = "beacon".to_owned();
    let mut tar = Tar::of(&format!("{CHART_YAML}{}", list(0)));
    for level in 1..=levels.len() {
        path += "/charts/mast";
        tar = tar.file(&format!("{path}/Chart.yaml"), format!("name: mast\nversion: 1.0.0\n{}", list(level)).as_bytes());
    }
    tar.file(&format!("{path}/noise"), file)
}

fn schemas() -> Vec<Case> {
    let schema = |text: &str| good().file("beacon/values.schema.json", text.as_bytes());
    table! {
        "a schema from the network", schema(r#"{"$ref": "https://h/s.json"}"#) => "Schema > RemoteRef";
        "a schema from the machine", schema(r#"{"$ref": "file:///dev/zero"}"#) => "Schema > RemoteRef";
        "a schema from beside it", schema(r#"{"properties": {"a": {"$ref": "../x.json"}}}"#) => "Schema > RemoteRef";
        "a schema from beside its id", schema(r##"{"$id": "https://h/", "$ref": "x#/a"}"##) => "Schema > RemoteRef";
        "a schema that holds itself", schema(r##"{"$ref": "#"}"##) => "Schema > Circle";
        "a schema that branches without end", schema(&branches()) => "Schema > Circle";
        "a schema that is not there", schema(r##"{"$ref": "#/x"}"##) => "Schema > DanglingRef";
        "a schema of 20,000 brackets", schema(&"[".repeat(20_000)) => "Schema > NotJson";
        "a schema of 3 MiB", stored(schema(&format!("\"{}\"", "x".repeat(3 << 20)))) => "Schema > TooLarge";
    }
}

fn mast() -> Tar {
    Tar::default().file("mast/Chart.yaml", b"name: mast\nversion: 1.0.0\n")
}

fn vendored(inner: Tar) -> Tar {
    good().file("beacon/charts/mast-1.0.0.tgz", &inner.tgz())
}

fn with_requirements(chart: &str, requirements: &str) -> Tar {
    Tar::of(&format!("{CHART_YAML}dependencies:\n{chart}"))
        .file("beacon/requirements.yaml", requirements.as_bytes())
        .file("beacon/charts/mast/Chart.yaml", b"name: mast\nversion: 1.0.0\n")
}

/// Not compressed, or the large ones would take seconds to make.
fn stored(tar: Tar) -> Vec<u8> {
    gzip_at(&tar.bytes(), Compression::none())
}

fn set(header: &mut tar::Header, at: usize, bytes: &[u8]) {
    header.as_mut_bytes()[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Ten to the ninth, in nine lines.
fn laughs(key: &str) -> String {
    let line = |n: u32| format!("l{n}: &l{n} [{}]\n", vec![format!("*l{}", n - 1); 10].join(", "));
    format!("l0: &l0 ha\n{}{key}: *l9\n", (1..=9).map(line).collect::<String>())
}

fn branches() -> String {
    let level = |n: u32| format!(r##""l{n}": {{"allOf": [{{"$ref": "#/l{0}"}}, {{"$ref": "#/l{0}"}}]}}, "##, n - 1);
    format!(r#"{{"l0": {{}}, {}"a": 1}}"#, (1..=40).map(level).collect::<String>())
}
