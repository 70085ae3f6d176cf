//! What Helm left in a Secret of the cluster: anybody who may write Secrets there writes it.

#![no_main]

use groundswell_helm::record::{ReleaseRecord, unlock};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = ReleaseRecord::decode(data);
    let _ = unlock(data, "fuzz");
});
