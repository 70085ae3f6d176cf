//! Writes the corpus of the tests as seeds: `cargo run --bin seeds -- corpus/archive`.

use std::path::PathBuf;

use groundswell_helm::archive::corpus::{table, tars};

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "corpus/archive".into()));
    std::fs::create_dir_all(&folder)?;
    for (at, tar) in tars().into_iter().enumerate() {
        std::fs::write(folder.join(format!("tar-{at:03}")), [b"\0".as_slice(), &tar].concat())?;
    }
    for (at, case) in table().into_iter().enumerate().filter(|(_, case)| case.bytes.len() < 64 << 10) {
        std::fs::write(folder.join(format!("tgz-{at:03}")), [b"\x01".as_slice(), &case.bytes].concat())?;
    }
    Ok(())
}
