//! What helm prints of two charts: read, compared, told. Whoever writes a chart writes it.

#![no_main]

use groundswell_change::input::{Input, Target};
use groundswell_change::summarise;
use groundswell_helm::preview::corpus::side;

/// No line of a manifest; it parts the old render from the new.
const BORDER: &str = "\n====\n";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (old, new) = text.split_once(BORDER).unwrap_or((text, text));
    let target = Target { kube_version: Some("v1.30.0".to_owned()), namespace: "ns".to_owned(), ..Target::default() };
    let mut input = Input { old: side(old), new: side(new), target, ..Input::default() };
    input.old.crds = input.old.objects.clone();
    input.new.crds = input.new.objects.clone();
    let _ = summarise(&input);
});
