//! Every file in `scenarios/` is a test.

use groundswell_sim::script::play;

/// Taken away, the loop below would pass over nothing.
const AT_LEAST: usize = 12;

#[test]
fn every_scenario_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut failed = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        if let Err(why) = play(&text) {
            failed.push(format!("{}: {why}", file.file_name().unwrap_or_default().display()));
        }
    }
    assert!(failed.is_empty(), "{} of {} scenarios:\n{}", failed.len(), files.len(), failed.join("\n"));
    assert!(files.len() >= AT_LEAST, "{} scenarios", files.len());
}

#[test]
fn a_scenario_that_does_not_hold_says_where() {
    let why = play("wave canary 1\napply 1\nrun 1m\nexpect has canary-0 2\n").unwrap_err();
    assert_eq!(why, "line 4: expect has canary-0 2: it is 1");
}
