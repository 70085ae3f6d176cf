//! Names that reach a command line.

use super::HelmError;

const RULE: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$, at most 53 characters";
const NAMESPACE_RULE: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$, at most 63 characters";

/// Helm's limit for the name of a release: ten characters are kept for the suffixes of what it makes.
const MAX_RELEASE: usize = 53;
/// A namespace is a DNS label.
const MAX_NAMESPACE: usize = 63;

fn label(value: &str, longest: usize) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !value.is_empty() && value.len() <= longest && value.chars().all(inner) && !value.starts_with('-') && !value.ends_with('-')
}

/// A release in a namespace, both checked: neither can be taken for a flag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseName {
    name: String,
    namespace: String,
}

impl ReleaseName {
    /// Checks a name and its namespace.
    ///
    /// # Errors
    /// [`HelmError::BadName`].
    pub fn new(namespace: &str, name: &str) -> Result<Self, HelmError> {
        let bad = |what, value: &str, rule| HelmError::BadName { what, value: value.to_owned(), rule };
        if !label(name, MAX_RELEASE) {
            return Err(bad("release name", name, RULE));
        }
        if !label(namespace, MAX_NAMESPACE) {
            return Err(bad("namespace", namespace, NAMESPACE_RULE));
        }
        Ok(Self { name: name.to_owned(), namespace: namespace.to_owned() })
    }

    /// Name of the release.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Namespace of its record.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

/// A version that goes behind a flag.
pub(super) fn kube_version(value: &str) -> Result<&str, HelmError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-');
    if !value.is_empty() && value.len() <= 64 && value.chars().all(fine) && !value.starts_with('-') {
        Ok(value)
    } else {
        Err(HelmError::BadName { what: "Kubernetes version", value: value.to_owned(), rule: "letters, digits, dots, + and -" })
    }
}

/// `group/version` or `group/version/Kind`.
pub(super) fn api_version(value: &str) -> Result<&str, HelmError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-');
    if !value.is_empty() && value.len() <= 320 && value.chars().all(fine) && !value.starts_with('-') {
        Ok(value)
    } else {
        Err(HelmError::BadName { what: "API version", value: value.to_owned(), rule: "group/version or group/version/Kind" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_looks_like_a_flag_passes() {
        let long = "a".repeat(54);
        for name in ["", "-a", "--kubeconfig=/x", "a-", "A", "a b", "a/b", "a.b", "a\n", "ä", long.as_str()] {
            assert!(ReleaseName::new("ops", name).is_err(), "{name:?}");
        }
        for namespace in ["", "--all-namespaces", "a/b", &"a".repeat(64)] {
            assert!(ReleaseName::new(namespace, "a").is_err(), "{namespace:?}");
        }
        assert!(ReleaseName::new(&"n".repeat(63), &"a".repeat(53)).is_ok());
        assert!(kube_version("--x").is_err() && kube_version("v1.17.5+vmware.1").is_ok());
        assert!(api_version("a,b").is_err() && api_version("monitoring.coreos.com/v1/Prometheus").is_ok());
    }
}
