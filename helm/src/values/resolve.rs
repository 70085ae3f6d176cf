//! What a plain scalar means: to Helm 3 (a port of the resolver of goyaml v2), and to YAML 1.2.

use serde_json::{Number, Value};

pub(crate) const TAG: &str = "tag:yaml.org,2002:";

/// The typed value of a scalar, before it becomes JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Typed {
    Null,
    Bool(bool),
    Int(i64),
    /// Above `i64::MAX` only.
    Uint(u64),
    Float(f64),
    Str(String),
}

impl Typed {
    /// The value as Helm hands it to a template; there all numbers are float64. JSON has no infinity and no NaN.
    pub(crate) fn into_json(self) -> Result<Value, &'static str> {
        Ok(match self {
            Typed::Null => Value::Null,
            Typed::Bool(b) => Value::Bool(b),
            Typed::Str(s) => Value::String(s),
            Typed::Int(i) => number(i as f64).ok_or("not a number")?,
            Typed::Uint(u) => number(u as f64).ok_or("not a number")?,
            Typed::Float(f) => number(f).ok_or("JSON has no infinity and no NaN, and Helm refuses them; quote it")?,
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Typed::Null => "!!null",
            Typed::Bool(_) => "!!bool",
            Typed::Int(_) | Typed::Uint(_) => "!!int",
            Typed::Float(_) => "!!float",
            Typed::Str(_) => "!!str",
        }
    }
}

/// A float64 as a JSON number, without a fraction where it has none, so that 1e3 and 1000 are the same value.
pub(crate) fn number(f: f64) -> Option<Value> {
    // 2^53: up to here every integer has a float64 of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if f.fract() == 0.0 && f.abs() <= EXACT {
        return Some(Value::Number(Number::from(f as i64)));
    }
    Number::from_f64(f).map(Value::Number)
}

/// What Helm's reader makes of a scalar with this tag (`None`: plain and untagged).
pub(crate) fn helm(tag: Option<&str>, text: &str) -> Result<Typed, String> {
    let short = match tag {
        None => return Ok(helm_plain(text)),
        Some(tag) => tag.strip_prefix(TAG),
    };
    let found = match short {
        Some("str") => return Ok(Typed::Str(text.to_owned())),
        Some("binary") => return binary(text).map(Typed::Str),
        Some("timestamp") if looks_like_date(text) => return Ok(Typed::Str(text.to_owned())),
        Some("timestamp" | "bool" | "int" | "float" | "null") => helm_plain(text),
        // A tag of somebody else's: the text as it stands.
        _ => return Ok(Typed::Str(text.to_owned())),
    };
    match (short, found) {
        (Some("bool"), found @ Typed::Bool(_))
        | (Some("int"), found @ (Typed::Int(_) | Typed::Uint(_)))
        | (Some("float"), found @ Typed::Float(_))
        | (Some("null"), found @ Typed::Null) => Ok(found),
        (Some("float"), Typed::Int(i)) => Ok(Typed::Float(i as f64)),
        (short, found) => Err(format!("{} `{text}` cannot be read as !!{}", found.kind(), short.unwrap_or_default())),
    }
}

fn helm_plain(text: &str) -> Typed {
    let string = || Typed::Str(text.to_owned());
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Typed::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Typed::Bool(false),
        "" | "~" | "null" | "Null" | "NULL" => return Typed::Null,
        ".nan" | ".NaN" | ".NAN" => return Typed::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Typed::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Typed::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes().first() {
        // Go's ParseFloat takes a `_` between digits, and only there.
        Some(b'.') => match between_digits(text) {
            true => float(&text.replace('_', "")).map_or_else(string, Typed::Float),
            false => string(),
        },
        Some(b'0'..=b'9' | b'+' | b'-') => {
            let digits = text.replace('_', "");
            go_int(&digits).or_else(|| float(&digits).map(Typed::Float)).unwrap_or_else(string)
        }
        _ => string(),
    }
}

fn between_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    text.match_indices('_').all(|(at, _)| digit(at.checked_sub(1)) && digit(at.checked_add(1)))
}

/// Go's `strconv.ParseInt(s, 0, 64)`, then `ParseUint`: a leading 0 is octal, 0x, 0o and 0b in either case.
fn go_int(text: &str) -> Option<Typed> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let lower = digits.get(..2).map(str::to_ascii_lowercase);
    let (radix, body) = match lower.as_deref() {
        Some("0x") if digits.len() > 2 => (16, &digits[2..]),
        Some("0o") if digits.len() > 2 => (8, &digits[2..]),
        Some("0b") if digits.len() > 2 => (2, &digits[2..]),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    // from_str_radix takes a sign of its own, which would let "0x-1" through.
    if !body.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(body, radix).ok()?);
    let value = if negative { -magnitude } else { magnitude };
    match i64::try_from(value) {
        Ok(int) => Some(Typed::Int(int)),
        // ParseUint takes no sign at all.
        Err(_) if signed => None,
        Err(_) => u64::try_from(value).ok().map(Typed::Uint),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, the float of both dialects, if it fits a float64.
fn float(text: &str) -> Option<f64> {
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let good_mantissa = match mantissa.split_once('.') {
        None => all_digits(mantissa),
        Some(("", fraction)) => all_digits(fraction),
        Some((whole, fraction)) => all_digits(whole) && (fraction.is_empty() || all_digits(fraction)),
    };
    let good_exponent = exponent.is_none_or(|e| all_digits(e.strip_prefix(['+', '-']).unwrap_or(e)));
    if !good_mantissa || !good_exponent {
        return None;
    }
    text.parse::<f64>().ok().filter(|f| f.is_finite())
}

/// What the core schema of YAML 1.2 makes of a plain scalar.
pub(crate) fn yaml12(text: &str) -> Typed {
    let string = || Typed::Str(text.to_owned());
    match text {
        "true" | "True" | "TRUE" => return Typed::Bool(true),
        "false" | "False" | "FALSE" => return Typed::Bool(false),
        "" | "~" | "null" | "Null" | "NULL" => return Typed::Null,
        ".nan" | ".NaN" | ".NAN" => return Typed::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Typed::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Typed::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let radix = |prefix, radix| {
        text.strip_prefix(prefix)
            .filter(|digits: &&str| digits.chars().all(|c| c.is_digit(radix)))
            .and_then(|digits| u64::from_str_radix(digits, radix).ok())
    };
    if let Some(value) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return i64::try_from(value).map_or(Typed::Uint(value), Typed::Int);
    }
    if let Ok(int) = text.parse::<i64>() {
        return Typed::Int(int);
    }
    float(text).map_or_else(string, Typed::Float)
}

/// Go's decoder ignores line breaks; what is no UTF-8 becomes U+FFFD, byte for byte, when Go writes it as JSON.
fn binary(text: &str) -> Result<String, String> {
    use base64::Engine as _;
    use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
    let lenient = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let one_line: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    let bytes = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient)
        .decode(one_line)
        .map_err(|_| "a !!binary scalar that is not base64".to_owned())?;
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
    }
    Ok(out)
}

/// Year, dash, and a digit: enough to tell a date from a mistake; it stays a string either way.
fn looks_like_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() > 7 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-' && bytes[5].is_ascii_digit()
}
