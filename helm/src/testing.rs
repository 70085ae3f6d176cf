//! What the tests of this crate share.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::runner::{Cluster, Control, Helm};

/// The real helm. Absent, the test fails and says how to get it.
pub(crate) fn helm_binary() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/foundation/bin/helm");
    let named = std::env::var_os("GROUNDSWELL_HELM").map(PathBuf::from);
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = named.into_iter().chain([workspace]).chain(std::env::split_paths(&on_path).map(|p| p.join("helm")));
    let found = candidates.into_iter().find(|p| p.is_file());
    found.and_then(|p| p.canonicalize().ok()).expect("no helm binary: build it (cargo xtask foundation) or name one in GROUNDSWELL_HELM")
}

pub(crate) fn helm(home: &Path) -> Helm {
    Helm { binary: helm_binary(), stub: None, home: home.join("home"), cluster: Cluster::None }
}

pub(crate) fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

/// An executable script. Written by a process of its own: a descriptor open for writing that another test's fork inherits would
/// make the kernel refuse to run the file.
pub(crate) fn script(folder: &Path, name: &str, body: &str) -> PathBuf {
    let path = folder.join(name);
    let mut child = std::process::Command::new("/bin/sh")
        .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
        .arg(&path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let text = format!("#!/bin/sh\n{body}\n");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    path
}

/// Waits for a condition, not for a time; the limit is for a test that fails.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "never came true: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
