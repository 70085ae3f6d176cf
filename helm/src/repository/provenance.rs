//! The `.prov` beside an archive: what somebody signed about it. Its hash is compared with the archive's; the signature itself
//! is not verified, because that needs the operator's keyring, and saying so is better than a check that only looks like one.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a provenance says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// The signed text, without control characters: a `Chart.yaml` and the hashes of files.
    pub text: String,
    /// The file of whose hash it speaks.
    pub file: String,
    /// Id of the key that made the signature, 16 hex digits, as the signature itself says.
    pub key_id: Option<String>,
    /// When it was signed, seconds since 1970, as the signature itself says.
    pub signed_at: Option<u32>,
    /// Always false: no keyring is at hand.
    pub verified: bool,
    /// The whole of it, signature included, as it came: what `gpg --verify` reads.
    #[serde(skip)]
    pub raw: String,
}

#[derive(Deserialize)]
struct Files {
    #[serde(default)]
    files: Option<BTreeMap<String, String>>,
}

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";

/// The archive that a provenance should speak of.
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    /// SHA-256, hex.
    pub(super) digest: &'a str,
    /// The archive's own file name, where it has one: some repositories give their files other names than helm does.
    pub(super) file: Option<&'a str>,
}

/// The `Chart.yaml` that was signed, as far as it is compared.
#[derive(Deserialize)]
struct Signed {
    name: String,
    version: String,
}

/// Reads a provenance and compares the chart, the file and the hash in it with those of the archive.
///
/// # Errors
/// Words, when it is none, or speaks of another archive. There is no way on from here: a provenance that cannot be read is no
/// less suspicious than one that is wrong.
pub(super) fn read(bytes: &[u8], archive: &Subject<'_>) -> Result<Provenance, String> {
    let raw = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let text = raw.replace("\r\n", "\n");
    let body = text.trim_start().strip_prefix(BEGIN).ok_or("it does not begin as a signed PGP message")?;
    let (signed, rest) = body.split_once(SIGNATURE).ok_or("it has no signature")?;
    let (signature, _) = rest.split_once(END).ok_or("its signature has no end")?;
    // The armour's own headers (`Hash: SHA512`) end at the first empty line.
    let (_, signed) = signed.split_once("\n\n").ok_or("it has no signed text")?;
    let signed = undash(signed);
    let (chart, files) = signed.split_once("\n...\n").ok_or("the signed text has no list of files")?;
    let files: Files = serde_saphyr::from_str(files).map_err(|_| "its list of files cannot be read")?;
    let file = matching(&files.files.unwrap_or_default(), archive)?;
    same_chart(chart, archive)?;
    let packet = packet(signature);
    Ok(Provenance {
        text: signed.chars().filter(|c| !c.is_control() || *c == '\n').collect(),
        file,
        key_id: packet.as_deref().and_then(key_id),
        signed_at: packet.as_deref().and_then(signed_at),
        verified: false,
        raw: raw.to_owned(),
    })
}

/// The file of the archive's hash and name. A signature over another file's name with the same hash is one for another chart.
fn matching(files: &BTreeMap<String, String>, archive: &Subject<'_>) -> Result<String, String> {
    let digest = archive.digest;
    let usual = format!("{}-{}.tgz", archive.name, archive.version);
    let same = |hash: &str| hash.strip_prefix("sha256:").is_some_and(|hex| hex.eq_ignore_ascii_case(digest));
    let of_hash: Vec<&String> = files.iter().filter(|(_, hash)| same(hash)).map(|(name, _)| name).collect();
    if let Some(name) = of_hash.iter().find(|name| ***name == usual || archive.file == Some(name.as_str())) {
        return Ok((*name).clone());
    }
    match (of_hash.first(), files.iter().next()) {
        (Some(name), _) => Err(format!("it speaks of the file {name:?}, and what arrived is {usual:?}")),
        (None, Some((name, hash))) => Err(format!("it speaks of {name:?} with {hash:?}, and what arrived has sha256:{digest}")),
        (None, None) => Err("it speaks of no file".to_owned()),
    }
}

fn same_chart(chart: &str, archive: &Subject<'_>) -> Result<(), String> {
    let signed: Signed = serde_saphyr::from_str(chart).map_err(|_| "the Chart.yaml in it cannot be read")?;
    if (signed.name.as_str(), signed.version.as_str()) == (archive.name, archive.version) {
        return Ok(());
    }
    let got = format!("{} {}", archive.name, archive.version);
    Err(format!("it speaks of the chart {:?}, and what arrived is {got:?}", format!("{} {}", signed.name, signed.version)))
}

/// RFC 9580, 7.2: lines that begin with a dash are written with `- ` in front.
fn undash(text: &str) -> String {
    text.lines().map(|line| line.strip_prefix("- ").unwrap_or(line)).fold(String::new(), |all, line| all + line + "\n")
}

/// The bytes of the signature packet's body (RFC 9580, 4.2).
fn packet(armoured: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let (_, data) = armoured.split_once("\n\n")?;
    let data: String = data.lines().take_while(|line| !line.starts_with('=')).map(str::trim).collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(data).ok()?;
    let (tag, one, two) = (*bytes.first()?, usize::from(*bytes.get(1)?), usize::from(*bytes.get(2)?));
    let (from, length) = match (tag & 0x40 != 0, tag & 0x3f, tag & 0x03) {
        (true, 2, _) if one < 192 => (2, one),
        (true, 2, _) if one < 224 => (3, ((one - 192) << 8) + two + 192),
        (false, kind, 0) if kind >> 2 == 2 => (2, one),
        (false, kind, 1) if kind >> 2 == 2 => (3, (one << 8) + two),
        _ => return None,
    };
    bytes.get(from..from + length).map(<[u8]>::to_vec)
}

/// The subpackets of a version 4 signature, type and content.
fn subpackets(packet: &[u8]) -> Vec<(u8, &[u8])> {
    fn area(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        let length = usize::from(u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]));
        Some((bytes.get(2..2 + length)?, bytes.get(2 + length..)?))
    }
    fn read<'p>(mut bytes: &'p [u8], into: &mut Vec<(u8, &'p [u8])>) -> Option<()> {
        while let Some(length) = bytes.first().map(|length| usize::from(*length)) {
            // Longer ones exist and are none of those looked for.
            let part = bytes.get(1..1 + length).filter(|part| length < 192 && !part.is_empty())?;
            into.push((part[0] & 0x7f, &part[1..]));
            bytes = &bytes[1 + length..];
        }
        Some(())
    }
    let mut all = Vec::new();
    if let Some((hashed, rest)) = packet.get(4..).filter(|_| packet[0] == 4).and_then(area) {
        let _ = read(hashed, &mut all);
        if let Some((unhashed, _)) = area(rest) {
            let _ = read(unhashed, &mut all);
        }
    }
    all
}

fn key_id(packet: &[u8]) -> Option<String> {
    let all = subpackets(packet);
    // 33 is the fingerprint, whose last eight bytes are the key id of a version 4 key; 16 is the key id by itself.
    let fingerprint = all.iter().find(|(kind, data)| *kind == 33 && data.len() == 21).map(|(_, data)| &data[13..]);
    let id = fingerprint.or_else(|| all.iter().find(|(kind, data)| *kind == 16 && data.len() == 8).map(|(_, data)| *data))?;
    Some(hex::encode_upper(id))
}

fn signed_at(packet: &[u8]) -> Option<u32> {
    let (_, data) = subpackets(packet).into_iter().find(|(kind, data)| *kind == 2 && data.len() == 4)?;
    Some(u32::from_be_bytes(data.try_into().ok()?))
}

#[cfg(test)]
#[path = "tests/provenance.rs"]
mod tests;
