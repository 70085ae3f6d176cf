//! Keys whose values are kept out of sight.

/// Words that make a key one of a secret, in lower case and without separators.
const SECRET_WORDS: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "secretkey",
    "encryptionkey",
    "signingkey",
    "credential",
    "htpasswd",
];
/// Ends of keys that name where a secret is, or say something about it.
const HARMLESS_ENDS: [&str; 19] = [
    "name",
    "names",
    "ref",
    "refs",
    "file",
    "files",
    "path",
    "paths",
    "key",
    "keys",
    "seconds",
    "url",
    "uri",
    "namespace",
    "type",
    "mode",
    "policy",
    "enabled",
    "header",
];
/// Keys of secrets although they end like a harmless one.
const SECRET_ENDS: [&str; 15] = [
    "apikey",
    "accesskey",
    "accountkey",
    "authkey",
    "clientkey",
    "encryptionkey",
    "hmackey",
    "licensekey",
    "masterkey",
    "privatekey",
    "secretkey",
    "sessionkey",
    "sharedkey",
    "signingkey",
    "tlskey",
];
/// Last words of keys that hold a secret, or an address that is one.
const SECRET_LAST: [&str; 6] = ["pass", "pw", "pwd", "dsn", "authorization", "bearer"];
/// Words that together make the address or the line a secret.
const SECRET_TOGETHER: [[&str; 2]; 4] = [["connection", "string"], ["connection", "strings"], ["webhook", "url"], ["webhook", "urls"]];
/// Words before `key` that make it the name of one: of an entry in a map, of a label.
const NAMES_A_KEY: [&str; 12] =
    ["annotation", "config", "label", "map", "password", "secret", "selector", "taint", "token", "topology", "user", "username"];

/// Whether what stands at this key is to be kept out of sight.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    if SECRET_ENDS.iter().any(|end| plain.ends_with(end)) {
        return true;
    }
    let contains = SECRET_WORDS.iter().any(|word| plain.contains(word))
        && !HARMLESS_ENDS.iter().any(|end| plain.ends_with(end))
        && !matches!(plain.as_str(), "existingsecret" | "secrets" | "tls.secret" | "imagepullsecrets");
    contains || is_secret_by_words(&words(key))
}

fn is_secret_by_words(words: &[String]) -> bool {
    let last = words.last().map_or("", String::as_str);
    // `slack_api_url` and its like are addresses that anybody may write to.
    let slack = words.iter().any(|word| word == "slack") && matches!(last, "url" | "urls");
    let together = |pair: &[&str; 2]| words.windows(2).any(|two| two.iter().map(String::as_str).eq(pair.iter().copied()));
    SECRET_LAST.contains(&last)
        || SECRET_TOGETHER.iter().any(together)
        || slack
        || matches!(words, [.., connection, uri] if connection == "connection" && uri == "uri")
}

/// Whether a key of values looks like a credential's. There `key` and `auth` are seldom anything else; in objects they are.
pub(crate) fn is_secret_value_key(key: &str) -> bool {
    if is_secret_key(key) {
        return true;
    }
    let words = words(key);
    let key_of = || !matches!(words.as_slice(), [.., of, _] if NAMES_A_KEY.contains(&of.as_str()));
    match words.last().map(String::as_str) {
        Some("key") => key_of(),
        Some("auth" | "authentication" | "cred" | "creds") => true,
        Some("url" | "uri") => {
            matches!(words.as_slice(), [.., of, _] if matches!(of.as_str(), "api" | "hook" | "database" | "db" | "redis" | "amqp" | "mongo"))
        }
        _ => false,
    }
}

/// `adminPassword`, `ADMIN_PASSWORD` and `admin-password` as two words.
fn words(key: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut before = ' ';
    for c in key.chars() {
        let begins = !c.is_alphanumeric() || (c.is_uppercase() && !before.is_uppercase());
        if begins {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for key in [
            "password",
            "adminPassword",
            "bearerToken",
            "API_KEY",
            "client-secret",
            "GF_SECURITY_ADMIN_PASSWORD",
            "secretKey",
            "pass",
            "dbPass",
            "DB_PW",
            "pwd",
            "dsn",
            "DATABASE_DSN",
            "connectionString",
            "webhookUrl",
            "WEBHOOK_URL",
            "slack_api_url",
            "tlsKey",
            "licenseKey",
            "Authorization",
        ] {
            assert!(is_secret_key(key), "{key}");
        }
        for key in ["key", "auth", "basicAuth", "hmac_key", "apiUrl", "databaseUrl", "creds"] {
            assert!(is_secret_value_key(key), "{key}");
        }
        for key in [
            "topologyKey",
            "existingSecretPasswordKey",
            "labelKey",
            "passwordKey",
            "url",
            "externalUrl",
            "keys",
            "bypass",
            "passThrough",
            "author",
        ] {
            assert!(!is_secret_value_key(key), "{key}");
        }
        for key in
            ["secretName", "passwordKey", "tokenFile", "topologyKey", "key", "existingSecret", "bearerTokenSecretRef", "name", "image"]
        {
            assert!(!is_secret_key(key), "{key}");
        }
    }
}
