use super::*;
use base64::Engine as _;

const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn subject() -> Subject<'static> {
    Subject { name: "beacon", version: "1.0.0", digest: DIGEST, file: Some("latest.tgz") }
}

/// A version 4 signature packet with creation time and issuer fingerprint, as GnuPG lays it out.
fn signature() -> String {
    let mut body = vec![4, 0, 1, 10, 0, 29, 22, 33, 4];
    body.extend_from_slice(&[0xAA; 12]);
    body.extend_from_slice(&[0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
    body.extend_from_slice(&[5, 2, 0x65, 0, 0, 0]);
    body.extend_from_slice(&[0, 0, 0xBE, 0xEF]);
    let mut packet = vec![0x89, 0, u8::try_from(body.len()).unwrap()];
    packet.extend_from_slice(&body);
    base64::engine::general_purpose::STANDARD.encode(packet)
}

fn text(hash: &str, signature: &str) -> String {
    format!(
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\napiVersion: v2\nname: beacon\nversion: 1.0.0\n\n...\nfiles:\n  \
         beacon-1.0.0.tgz: {hash}\n-----BEGIN PGP SIGNATURE-----\n\n{signature}\n=abcd\n-----END PGP SIGNATURE-----\n"
    )
}

#[test]
fn the_hash_inside_is_compared() {
    let read_text = |text: &str| read(text.as_bytes(), &subject());
    let good = read_text(&text(&format!("sha256:{DIGEST}"), &signature())).unwrap();
    assert!(good.text.contains("name: beacon") && good.file == "beacon-1.0.0.tgz" && !good.verified);
    assert_eq!((good.key_id.as_deref(), good.signed_at), (Some("1122334455667788"), Some(0x6500_0000)));
    let windows = text(&format!("sha256:{DIGEST}"), "").replace('\n', "\r\n");
    assert!(read_text(&windows).is_ok());
    let other = format!("sha256:{}", DIGEST.replace('0', "1"));
    for (bad, said) in [
        (text(&other, ""), "what arrived has"),
        (text(DIGEST, ""), "what arrived has"),
        (text("", "").replace("  beacon-1.0.0.tgz: ", ""), "no file"),
        (text("x", "").replace("...", ""), "no list of files"),
        ("<html>".to_owned(), "does not begin"),
        (text("x", "").replace("-----END", ""), "no end"),
    ] {
        let error = read_text(&bad).unwrap_err();
        assert!(error.contains(said), "{said}: {error}");
    }
}

#[test]
fn a_signature_over_another_chart_or_file_does_not_vouch() {
    let good = text(&format!("sha256:{DIGEST}"), "");
    for (from, to, said) in [
        ("name: beacon", "name: other", "it speaks of the chart \"other 1.0.0\", and what arrived is \"beacon 1.0.0\""),
        ("version: 1.0.0", "version: 0.9.0", "it speaks of the chart \"beacon 0.9.0\""),
        ("version: 1.0.0\n", "", "Chart.yaml in it cannot be read"),
        ("  beacon-1.0.0.tgz", "  other-1.0.0.tgz", "it speaks of the file \"other-1.0.0.tgz\", and what arrived is \"beacon-1.0.0.tgz\""),
    ] {
        assert!(good.contains(from));
        let error = read(good.replace(from, to).as_bytes(), &subject()).expect_err(to);
        assert!(error.contains(said), "{to}: {error}");
    }
    let renamed = good.replace("  beacon-1.0.0.tgz", "  latest.tgz");
    assert_eq!(read(renamed.as_bytes(), &subject()).unwrap().file, "latest.tgz");
}

#[test]
fn any_bytes_in_place_of_a_signature_are_taken_for_none() {
    for seed in 0_u8..=255 {
        let bytes: Vec<u8> = (0..60_u8).map(|at| at.wrapping_mul(seed).wrapping_add(seed)).chain([0x89, 0, 12, 4]).collect();
        for start in [0, 60] {
            let mut packet = vec![0xC2, 57, 4, 0, 1, 10];
            packet.extend_from_slice(&bytes[start..]);
            let encoded = base64::engine::general_purpose::STANDARD.encode(packet);
            read(text(&format!("sha256:{DIGEST}"), &encoded).as_bytes(), &subject()).unwrap();
        }
    }
}
