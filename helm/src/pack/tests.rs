use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::runner::{ReleaseName, Template};
use crate::testing;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("Chart.yaml", "apiVersion: v2\nname: beacon\nversion: 1.2.3\nicon: https://example.com/i.svg\n");
    write("values.yaml", "greeting: hello\n");
    write(
        "templates/cm.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {g: {{ .Values.greeting | quote }}}\n",
    );
    write("templates/.cm.yaml.swp", "junk");
    write("notes.bak", "junk");
    write(".git/config", "of a checkout");
    write("files/.git", "gitdir: of a submodule");
    write(".helmignore", "*.bak\n");
    folder
}

#[test]
fn the_same_content_makes_the_same_bytes() {
    let (one, two) = (folder(), folder());
    fs::set_permissions(two.path().join("values.yaml"), fs::Permissions::from_mode(0o600)).unwrap();
    let (one, two) = (pack(one.path()).unwrap(), pack(two.path()).unwrap());
    assert_eq!(one.archive.digest, two.archive.digest);
    assert_eq!(one.bytes, two.bytes);
    let paths: Vec<&str> = one.archive.files.keys().map(String::as_str).collect();
    assert_eq!(paths, [".helmignore", "Chart.yaml", "templates/cm.yaml", "values.yaml"]);
    // A change of the packer or its compressor shows here: it makes a new digest of every chart in every fleet.
    let header = &one.bytes[..10];
    assert_eq!(header, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
}

#[test]
fn links_and_bad_folders_are_refused_with_a_hint() {
    let folder = folder();
    symlink("/etc/passwd", folder.path().join("templates/link")).unwrap();
    let error = pack(folder.path()).unwrap_err();
    assert!(matches!(&error, PackError::Symlink { path } if path.ends_with("templates/link")), "{error:?}");
    assert!(error.to_string().contains(".helmignore"), "{error}");
    fs::write(folder.path().join(".helmignore"), "link\n").unwrap();
    pack(folder.path()).expect("an ignored link does no harm");
    fs::write(folder.path().join(".helmignore"), "a\n**/b\n").unwrap();
    assert!(matches!(pack(folder.path()), Err(PackError::Ignore { line: 2, .. })));
    assert!(matches!(pack(&folder.path().join("templates")), Err(PackError::NotAChart { .. })));
    fs::remove_file(folder.path().join(".helmignore")).unwrap();
    fs::remove_file(folder.path().join("templates/link")).unwrap();
    fs::write(folder.path().join("Chart.yaml"), "name: ..\nversion: 1.0.0\n").unwrap();
    assert!(matches!(pack(folder.path()), Err(PackError::Refused { source: ArchiveError::BadName { .. }, .. })));
}

#[tokio::test]
async fn the_real_helm_takes_what_we_pack() {
    let folder = folder();
    let packed = pack(folder.path()).unwrap();
    let home = tempfile::tempdir().unwrap();
    let chart = home.path().join("beacon.tgz");
    fs::write(&chart, &packed.bytes).unwrap();
    let (helm, control) = (testing::helm(home.path()), testing::control());
    let release = ReleaseName::new("ops", "b1").unwrap();
    let values: [&[u8]; 2] = [b"greeting: first\n", b"greeting: yes\n"];
    let template = Template { values: &values, ..Template::default() };
    let manifest = helm.template(&release, &chart, &template, &control).await.unwrap();
    assert!(manifest.contains("name: b1") && manifest.contains("g: \"true\""), "{manifest}");
    let lint = helm.lint(&chart, &control).await.unwrap();
    assert!(lint.contains("0 chart(s) failed"), "{lint}");
    let left = fs::read_dir(home.path().join("home/values")).unwrap().count();
    assert_eq!(left, 0, "values files stay behind");
}
