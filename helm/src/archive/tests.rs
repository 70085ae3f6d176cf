use serde_json::{Value, json};
use tar::EntryType;

use super::corpus::{CHART_YAML, Tar, gzip};
use super::*;

mod hostile;

fn refused(tar: Tar) -> ArchiveError {
    ChartArchive::read(&tar.tgz()).unwrap_err()
}

/// Asserts that an archive is refused by exactly the rule that it breaks.
macro_rules! refuses {
    ($tar:expr, $pattern:pat $(if $guard:expr)?) => {{
        let error = refused($tar);
        assert!(matches!(&error, $pattern $(if $guard)?), "{error:?}");
        assert!(!error.to_string().contains('\0') && !error.to_string().contains('\u{1b}'), "{error}");
    }};
}

#[test]
fn a_good_chart_is_read() {
    let bytes = Tar::good().entry(EntryType::Directory, b"beacon/templates/", b"").file("beacon/templates/a.yaml", b"x").tgz();
    let chart = ChartArchive::read(&bytes).unwrap();
    assert_eq!((chart.metadata.name.as_str(), chart.metadata.app_version.as_deref()), ("beacon", Some("1.10")));
    assert_eq!(chart.metadata.semver().unwrap(), semver::Version::new(1, 2, 3));
    assert_eq!(chart.digest, digest_hex(&bytes));
    assert_eq!(chart.templates().count(), 1);
    assert_eq!(chart.values_yaml(), Some(b"a: 1\n".as_slice()));
}

#[test]
fn paths_that_leave_the_folder_or_differ_between_systems() {
    refuses!(Tar::good().file("beacon/../../etc/passwd", b""), ArchiveError::PathPart { part, .. } if part == "..");
    refuses!(Tar::good().file("../x", b""), ArchiveError::PathPart { .. });
    refuses!(Tar::good().file("beacon/./x", b""), ArchiveError::PathPart { .. });
    refuses!(Tar::good().file("beacon//x", b""), ArchiveError::PathPart { .. });
    refuses!(Tar::good().file("/beacon/x", b""), ArchiveError::PathAbsolute { .. });
    refuses!(Tar::good().file("beacon/c:/x", b""), ArchiveError::PathAbsolute { .. });
    refuses!(Tar::good().file("beacon\\..\\x", b""), ArchiveError::PathCharacter { character: '\\', .. });
    refuses!(Tar::good().file("beacon/\u{1b}[2J", b""), ArchiveError::PathCharacter { character: '\u{1b}', .. });
    refuses!(Tar::good().entry(EntryType::Regular, b"beacon/\xff", b""), ArchiveError::PathNotUtf8 { .. });
}

#[test]
fn links_devices_and_the_like() {
    for (kind, words) in [
        (EntryType::Symlink, "symbolic link"),
        (EntryType::Link, "hard link"),
        (EntryType::Char, "character device"),
        (EntryType::Block, "block device"),
        (EntryType::Fifo, "pipe"),
        (EntryType::new(b'Z'), "'Z'"),
    ] {
        refuses!(Tar::good().entry(kind, b"beacon/Chart.lock", b""), ArchiveError::NotAFile { kind, .. } if kind.contains(words));
    }
}

#[test]
fn what_long_names_and_pax_say_is_checked_too() {
    let long = format!("beacon/{}", "d/".repeat(200) + "x");
    let named = |name: &[u8]| Tar::good().entry(EntryType::GNULongName, b"././@LongLink", name);
    let chart = ChartArchive::read(&named(format!("{long}\0").as_bytes()).file("short", b"1").tgz()).unwrap();
    assert!(chart.files.contains_key(long.strip_prefix("beacon/").unwrap()), "{:?}", chart.files.keys());
    refuses!(named(b"beacon/../x\0").file("beacon/x", b""), ArchiveError::PathPart { .. });
    refuses!(Tar::good().pax("path", b"/etc/passwd").file("beacon/x", b""), ArchiveError::PathAbsolute { .. });
    refuses!(Tar::good().pax("path", b"beacon/a\0b").file("beacon/x", b""), ArchiveError::PathCharacter { character: '\0', .. });
    refuses!(Tar::good().pax("path", b"beacon/Chart.yaml").file("beacon/x", b""), ArchiveError::Duplicate { .. });
    refuses!(Tar::good().pax("size", b"0").file("beacon/x", b"1"), ArchiveError::PaxHeader { key, .. } if key == "size");
    refuses!(Tar::good().pax("GNU.sparse.major", b"1").file("beacon/x", b""), ArchiveError::PaxHeader { .. });
    let deep = format!("beacon/{}\0", "x".repeat(2000));
    refuses!(named(deep.as_bytes()).file("beacon/x", b""), ArchiveError::PathTooLong { limit: 1024, .. });
}

#[test]
fn names_twice_and_two_folders() {
    refuses!(Tar::good().file("beacon/values.yaml", b"b"), ArchiveError::Duplicate { path } if path == "beacon/values.yaml");
    refuses!(Tar::good().file("beacon/values.yaml/x", b"b"), ArchiveError::Duplicate { .. });
    refuses!(Tar::good().file("beacon/a/b", b"").file("beacon/a", b""), ArchiveError::Duplicate { .. });
    refuses!(Tar::good().file("other/x", b""), ArchiveError::TwoTopFolders { second, .. } if second == "other/x");
    refuses!(Tar::good().file("loose", b""), ArchiveError::TwoTopFolders { .. });
    refuses!(Tar::default().file("Chart.yaml", CHART_YAML.as_bytes()), ArchiveError::NoChartYaml { .. });
    refuses!(Tar::default(), ArchiveError::NoChartYaml { .. });
}

#[test]
fn sizes_and_counts() {
    let zeros = vec![0_u8; 2 << 20];
    refuses!(Tar::good().file("beacon/zeros", &zeros), ArchiveError::Ratio { limit: 100 });
    let small = vec![0_u8; 500 << 10];
    ChartArchive::read(&Tar::good().file("beacon/zeros", &small).tgz()).expect("below the floor the ratio does not count");
    let limits = Limits { ratio: u64::MAX, ..Limits::DEFAULT };
    let read = |tar: Tar, limits| ChartArchive::read_with(&tar.tgz(), limits).unwrap_err();
    let error = read(Tar::good().file("beacon/big", &vec![0; (5 << 20) + 1]), limits);
    assert!(matches!(&error, ArchiveError::FileTooLarge { path, .. } if path == "beacon/big"), "{error:?}");
    let error = read(Tar::good().file("beacon/a", &zeros), Limits { expanded: 1 << 20, ..limits });
    assert_eq!(error, ArchiveError::ExpandsTooFar { limit: 1 << 20 });
    assert_eq!(Limits::DEFAULT.files, 10_000);
    let many = (0..50).fold(Tar::good(), |tar, n| tar.file(&format!("beacon/{n}"), b""));
    assert_eq!(read(many, Limits { files: 51, ..limits }), ArchiveError::TooManyFiles { limit: 51 });
    let error = ChartArchive::read(&vec![0; (20 << 20) + 1]).unwrap_err();
    assert!(matches!(error, ArchiveError::TooLarge { limit, .. } if limit == 20 << 20));
}

#[test]
fn damaged_gzip_and_what_follows_the_end() {
    let good = Tar::good().tgz();
    assert_eq!(ChartArchive::read(b"PK\x03\x04").unwrap_err(), ArchiveError::NotGzip);
    assert_eq!(ChartArchive::read(b"").unwrap_err(), ArchiveError::NotGzip);
    let error = ChartArchive::read(&good[..good.len() - 9]).unwrap_err();
    assert!(matches!(error, ArchiveError::BrokenGzip { .. }), "{error:?}");
    let trailing = [good.as_slice(), b"more"].concat();
    assert_eq!(ChartArchive::read(&trailing).unwrap_err(), ArchiveError::TrailingData { bytes: 4 });
    let second = [good.as_slice(), good.as_slice()].concat();
    assert!(matches!(ChartArchive::read(&second), Err(ArchiveError::TrailingData { .. })));
    let hidden = [Tar::good().bytes(), Tar::good().file("beacon/hidden", b"x").bytes()].concat();
    assert!(matches!(ChartArchive::read(&gzip(&hidden)), Err(ArchiveError::TrailingData { .. })));
    let mut cut = Tar::good().file("beacon/x", &[7; 2000]).bytes();
    cut.truncate(cut.len() - 2048);
    assert!(matches!(ChartArchive::read(&gzip(&cut)), Err(ArchiveError::BrokenTar { .. })));
}

fn chart(yaml: &str) -> Tar {
    Tar::default().file("beacon/Chart.yaml", yaml.as_bytes())
}

#[test]
fn metadata_is_strict() {
    refuses!(chart("name: other\nversion: 1.0.0\n"), ArchiveError::NameMismatch { .. });
    for name in ["..", "-x", "Beacon", "a/b", "'a b'", "", "--kubeconfig=x"] {
        refuses!(chart(&format!("name: {name}\nversion: 1.0.0\n")), ArchiveError::BadName { .. });
    }
    for version in ["1.0", "01.0.0", "latest", "'1.0.0\\e[2J'", "\"1.0.0\\e[2J\"", ""] {
        refuses!(chart(&format!("name: beacon\nversion: {version}\n")), ArchiveError::BadVersion { .. });
    }
    ChartArchive::read(&chart("name: beacon\nversion: v1.0.0\n").tgz()).expect("a leading v is what cert-manager writes");
    refuses!(chart("apiVersion: v3\nname: beacon\nversion: 1.0.0\n"), ArchiveError::BadApiVersion { .. });
    refuses!(chart("name: [\n"), ArchiveError::Metadata { .. });
    let read = ChartArchive::read(&chart("name: beacon\nversion: 1.0.0\ndependencies:\ndescription: \"a\\e[2Jb\"\n").tgz()).unwrap();
    assert_eq!(read.metadata.description.as_deref(), Some("a[2Jb"));
    let needs = "name: beacon\nversion: 1.0.0\ndependencies:\n- name: mast\n  repository: https://h\n";
    refuses!(chart(needs), ArchiveError::NotVendored { dependency, .. } if dependency == "mast");
    let requirements = Tar::good().file("beacon/requirements.yaml", b"dependencies:\n- name: mast\n");
    refuses!(requirements, ArchiveError::NotVendored { .. });
}

fn vendored(inner: Vec<u8>) -> Tar {
    Tar::good().file("beacon/charts/mast-1.0.0.tgz", &inner)
}

fn mast() -> Tar {
    Tar::default()
        .file("mast/Chart.yaml", b"name: mast\nversion: 1.0.0\n")
        .file("mast/crds/m.yaml", b"kind: M")
        .file("mast/crds/README.md", b"")
}

#[test]
fn rules_and_budget_hold_inside_vendored_archives() {
    let inside = |tar: Tar| match refused(vendored(tar.tgz())) {
        ArchiveError::Nested { path, source } if path == "beacon/charts/mast-1.0.0.tgz" => *source,
        other => panic!("{other:?}"),
    };
    assert!(matches!(inside(mast().file("mast/../x", b"")), ArchiveError::PathPart { .. }));
    assert!(matches!(inside(mast().file("mast/zeros", &vec![0; 2 << 20])), ArchiveError::Ratio { .. }));
    assert!(matches!(inside(mast().entry(EntryType::Symlink, b"mast/l", b"")), ArchiveError::NotAFile { .. }));
    let small = Limits { expanded: 12 << 10, ..Limits::DEFAULT };
    ChartArchive::read_with(&Tar::good().tgz(), small).unwrap();
    let error = ChartArchive::read_with(&vendored(mast().file("mast/x", &[0; 6000]).tgz()).tgz(), small).unwrap_err();
    assert!(matches!(&error, ArchiveError::Nested { source, .. } if matches!(**source, ArchiveError::ExpandsTooFar { .. })), "{error:?}");
    let mut nest = mast();
    for _ in 0..5 {
        nest = mast().file("mast/charts/mast-1.0.0.tgz", &nest.tgz());
    }
    let mut error = &refused(vendored(nest.tgz()));
    while let ArchiveError::Nested { source, .. } = error {
        error = source;
    }
    assert!(matches!(error, ArchiveError::TooDeep { limit: 4, .. }), "{error:?}");
}

#[test]
fn crds_and_schemas_of_subcharts_are_found() {
    let yaml = "name: beacon\nversion: 1.0.0\ndependencies:\n- name: mast\n  version: ^1\n  alias: pole\n  condition: pole.enabled\n- name: lamp\n";
    let tar = chart(yaml)
        .file("beacon/crds/b.yaml", b"kind: B")
        .file("beacon/charts/mast-1.0.0.tgz", &mast().file("mast/values.schema.json", b"{}").tgz())
        .file("beacon/charts/lamp/Chart.yaml", b"name: lamp\nversion: 1.0.0\n")
        .file("beacon/charts/lamp/crds/l.yml", b"kind: L")
        .file("beacon/charts/_skipped/x", b"");
    let chart = ChartArchive::read(&tar.tgz()).unwrap();
    let paths = |files: Vec<ChartFile>| files.iter().map(|f| format!("{}/{}", f.chart.join("/"), f.path)).collect::<Vec<_>>();
    assert_eq!(paths(chart.crds()), ["beacon/crds/b.yaml", "beacon/lamp/crds/l.yml", "beacon/mast/crds/m.yaml"]);
    let off = json!({"pole": {"enabled": false}});
    assert_eq!(paths(chart.crds_for(&off)), ["beacon/crds/b.yaml", "beacon/lamp/crds/l.yml"]);
    assert_eq!(chart.crds_for(&json!({})).len(), 3);
    assert_eq!(chart.schemas().iter().map(|s| s.keys.join(".")).collect::<Vec<_>>(), ["pole"]);
}

/// As helm 3.22 renders them.
#[test]
fn a_chart_stands_where_a_dependency_takes_its_version() {
    let at = |dependencies: &str, values: Value| {
        let sub = |version: &str| format!("name: sub\nversion: {version}\n").into_bytes();
        let tar = chart(&format!("name: beacon\nversion: 1.0.0\ndependencies: [{dependencies}]\n"))
            .file("beacon/charts/one/Chart.yaml", &sub("1.1.0"))
            .file("beacon/charts/two/Chart.yaml", &sub("v2.0.0-rc.1"));
        let chart = ChartArchive::read(&tar.tgz()).unwrap();
        let place = |(keys, sub): (Vec<String>, &Subchart)| format!("{} {}", keys.join("."), sub.metadata.version);
        chart.subcharts_for(&values).into_iter().map(place).collect::<Vec<_>>()
    };
    let both = "{name: sub, version: ^1, alias: a, condition: a.on}, {name: sub, version: '>=2-0', alias: b}";
    assert_eq!(at(both, json!({})), ["a 1.1.0", "b v2.0.0-rc.1"]);
    assert_eq!(at(both, json!({"a": {"on": false}})), ["b v2.0.0-rc.1"]);
    for other in ["^3", "^2", "banana", "''"] {
        let aliased = format!("{{name: sub, version: ^1, alias: a}}, {{name: sub, version: {other}, alias: b, condition: b.on}}");
        assert_eq!(at(&aliased, json!({"b": {"on": false}})), ["a 1.1.0", "sub v2.0.0-rc.1"], "{other}");
        let plain = format!("{{name: sub, version: {other}, condition: sub.on}}");
        assert_eq!(at(&plain, json!({"sub": {"on": false}})), Vec::<String>::new(), "{other}");
    }
}

#[test]
fn a_schema_that_fetches_is_refused_with_the_archive() {
    let tar = Tar::good().file("beacon/values.schema.json", br#"{"$ref": "file:///dev/zero"}"#);
    refuses!(tar, ArchiveError::Schema { source: crate::schema::SchemaError::RemoteRef { .. }, .. });
}
