//! A chart archive as it comes; below its compression when the first byte is even, or mutations would never get there.

#![no_main]

use groundswell_helm::archive::ChartArchive;
use groundswell_helm::archive::corpus::gzip;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let read = if first % 2 == 0 { ChartArchive::read(&gzip(rest)) } else { ChartArchive::read(rest) };
    if let Ok(chart) = read {
        for path in chart.files.keys() {
            assert!(!path.split('/').any(|part| matches!(part, "" | "." | "..")), "{path:?}");
        }
        let _ = (chart.crds().len(), chart.schemas().len());
    }
});
