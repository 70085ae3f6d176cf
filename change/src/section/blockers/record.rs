//! Whether the release fits into the Secret that Helm keeps it in.

use crate::input::Input;
use crate::summary::{Evidence, Item, Provenance, Weight};

/// What the API server lets a Secret hold: 1 MiB.
const LIMIT: u64 = 1 << 20;
/// From here on a dashboard or a few rules more may be too much: 80 %.
const NEAR: u64 = LIMIT / 10 * 8;

pub(super) fn items(input: &Input) -> Vec<Item> {
    let Some(bytes) = input.new.record_bytes.filter(|bytes| *bytes >= NEAR) else { return Vec::new() };
    let percent = bytes * 100 / LIMIT;
    let from = Provenance::new(Evidence::Inferred, "chart and manifest, packed as Helm packs them");
    let was = input.old.record_bytes.map(|old| format!(" (it was {} %)", old * 100 / LIMIT)).unwrap_or_default();
    let item = if bytes > LIMIT {
        let what =
            format!("the release record would be {percent} % of the 1 MiB that a Secret holds{was}: Helm fails before it changes anything");
        Item::new("record-size", Weight::Stop, what, from)
    } else {
        let what = format!("the release record fills {percent} % of the 1 MiB that a Secret holds{was}");
        Item::new("record-size", Weight::Look, what, from)
    };
    vec![item.next("take dashboards and rules that come as values out into objects of their own, or files out of the chart folder")]
}
