//! The join token: `gs1.<id>.<secret>.<pin>`. The pin is the SHA-256 of the root's public key (SPKI, DER), so that the agent
//! knows whom it talks to before it has a certificate.

use std::fmt;

/// What is wrong with a token. The token itself is never shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadToken {
    #[error("it does not begin with gs1.: it was made by another version, or is no join token")]
    Version,
    #[error("it has {0} parts between dots, and four are expected; was it cut off while copying?")]
    Parts(usize),
    #[error("its {0} is empty or has characters that do not belong there")]
    Part(&'static str),
}

/// A join token. `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// Which token it is; no secret.
    pub(crate) id: String,
    secret: String,
    /// SHA-256 of the root's SPKI.
    pub(crate) pin: [u8; 32],
}

impl Token {
    /// What the server gets: `<id>.<secret>`.
    pub(crate) fn credential(&self) -> String {
        format!("{}.{}", self.id, self.secret)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("id", &self.id).finish_non_exhaustive()
    }
}

impl std::str::FromStr for Token {
    type Err = BadToken;
    fn from_str(text: &str) -> Result<Self, BadToken> {
        let parts: Vec<&str> = text.split('.').collect();
        if parts.first() != Some(&"gs1") {
            return Err(BadToken::Version);
        }
        let [_, id, secret, pin] = parts.as_slice() else { return Err(BadToken::Parts(parts.len())) };
        let word =
            |part: &str| !part.is_empty() && part.len() <= 128 && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        if !word(id) {
            return Err(BadToken::Part("id"));
        }
        if !word(secret) {
            return Err(BadToken::Part("secret"));
        }
        let pin = hex::decode(pin).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(BadToken::Part("pin"))?;
        Ok(Self { id: (*id).to_owned(), secret: (*secret).to_owned(), pin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_keeps_its_secret_to_itself() {
        let token: Token = format!("gs1.abc.s3cret.{}", "0f".repeat(32)).parse().unwrap();
        assert_eq!((token.credential().as_str(), token.pin), ("abc.s3cret", [0x0f; 32]));
        assert!(!format!("{token:?}").contains("s3cret"));
    }

    #[test]
    fn cut_and_foreign_tokens_are_refused() {
        let pin = "0f".repeat(32);
        let cases = [
            (format!("gs2.a.b.{pin}"), BadToken::Version),
            ("gs1.a.b".into(), BadToken::Parts(3)),
            (format!("gs1..b.{pin}"), BadToken::Part("id")),
            (format!("gs1.a.b c.{pin}"), BadToken::Part("secret")),
            (format!("gs1.a.b.{}", &pin[1..]), BadToken::Part("pin")),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<Token>(), Err(why), "{text}");
        }
    }
}
