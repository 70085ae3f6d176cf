//! A values text: read, searched, interpolated.

#![no_main]

use groundswell_helm::values;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = values::parse_values("fuzz", text);
    let _ = values::ambiguous_plain("fuzz", text);
    let _ = values::names_used(text, "fuzz");
});
