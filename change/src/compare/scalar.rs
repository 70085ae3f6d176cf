//! Two spellings of the same thing.

use serde_json::Value;

/// Keys below which Kubernetes reads quantities.
const QUANTITY_MAPS: [&str; 5] = ["requests", "limits", "capacity", "hard", "allocatable"];
/// Fields that are quantities themselves.
const QUANTITY_FIELDS: [&str; 4] = ["sizeLimit", "averageValue", "targetAverageValue", "divisor"];
/// Kinds whose operators read durations and hand them to nothing that restarts for the spelling.
const DURATION_KINDS: [&str; 6] = ["Certificate", "PodMonitor", "Probe", "PrometheusRule", "ScrapeConfig", "ServiceMonitor"];
const DURATION_FIELDS: [&str; 9] =
    ["duration", "for", "interval", "keep_firing_for", "limit_duration", "query_offset", "renewBefore", "scrapeInterval", "scrapeTimeout"];

/// Whether the field at `keys` means the same with both.
pub(super) fn same_meaning(kind: &str, keys: &[&str], old: &Value, new: &Value) -> bool {
    if let (Some(old), Some(new)) = (old.as_f64(), new.as_f64()) {
        return old == new && !(is_large(old) || is_large(new));
    }
    let last = keys.last().copied().unwrap_or_default();
    let above = keys.iter().rev().nth(1).copied().unwrap_or_default();
    if QUANTITY_MAPS.contains(&above) || QUANTITY_FIELDS.contains(&last) {
        return matches!((quantity(old), quantity(new)), (Some(old), Some(new)) if close(old, new));
    }
    if DURATION_KINDS.contains(&kind) && DURATION_FIELDS.contains(&last) {
        return matches!((duration(old), duration(new)), (Some(old), Some(new)) if old == new);
    }
    false
}

/// Beyond this a float does not hold every whole number.
fn is_large(number: f64) -> bool {
    number.abs() > 9_007_199_254_740_992.0
}

fn close(old: f64, new: f64) -> bool {
    (old - new).abs() <= f64::EPSILON * 4.0 * old.abs().max(new.abs())
}

/// Reads `1000m`, `1`, `0.1`, `1Gi`, `1e3`.
pub(crate) fn quantity(value: &Value) -> Option<f64> {
    let text = match value {
        Value::Number(number) => return number.as_f64(),
        Value::String(text) => text.trim(),
        _ => return None,
    };
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if let Some(exponent) = unit.strip_prefix(['e', 'E'])
        && !exponent.is_empty()
    {
        return text.parse().ok();
    }
    let factor = match unit {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        "Pi" => 1_125_899_906_842_624.0,
        "Ei" => 1_152_921_504_606_846_976.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

/// Reads `90s`, `1m30s`, `1d` as milliseconds.
pub(crate) fn duration(value: &Value) -> Option<u64> {
    let mut rest = value.as_str()?.trim();
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut sum: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "y" => 31_536_000_000,
            _ => return None,
        };
        sum = sum.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[letters..];
    }
    Some(sum)
}

/// Whether two texts differ in nothing but white space at the ends of their lines and of the whole.
pub(super) fn same_lines(old: &str, new: &str) -> bool {
    old.trim_end().lines().map(str::trim_end).eq(new.trim_end().lines().map(str::trim_end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities() {
        for (old, new, same) in [
            (json!("1000m"), json!("1"), true),
            (json!("1000m"), json!(1), true),
            (json!("100m"), json!(0.1), true),
            (json!("1Gi"), json!("1024Mi"), true),
            (json!("1e3"), json!("1k"), true),
            (json!("1G"), json!("1Gi"), false),
            (json!("100m"), json!("100M"), false),
            (json!("many"), json!("many "), false),
            (json!("1E"), json!("1000P"), true),
        ] {
            let found = same_meaning("Deployment", &["spec", "resources", "limits", "cpu"], &old, &new);
            assert_eq!(found, same, "{old} and {new}");
        }
        assert!(!same_meaning("ConfigMap", &["data", "cpu"], &json!("1000m"), &json!("1")), "elsewhere it is text");
    }

    #[test]
    fn durations_where_the_field_is_one() {
        for (old, new, same) in [
            ("1m", "60s", true),
            ("1d", "24h", true),
            ("1m30s", "90s", true),
            ("1m", "1ms", false),
            ("", "0", false),
            ("1x", "1x ", false),
            ("99999999999999999999w", "1s", false),
        ] {
            let found = same_meaning("ServiceMonitor", &["spec", "endpoints", "interval"], &json!(old), &json!(new));
            assert_eq!(found, same, "{old} and {new}");
        }
        assert!(!same_meaning("Prometheus", &["spec", "retention"], &json!("10d"), &json!("240h")), "an argument of a pod");
    }

    #[test]
    fn ports_and_names_are_not_alike() {
        assert!(!same_meaning("Service", &["spec", "ports", "targetPort"], &json!(8080), &json!("8080")));
        assert!(same_meaning("Service", &["spec", "ports", "port"], &json!(80), &json!(80.0)));
    }
}
