//! References to images, in parts.

/// An image reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Image {
    /// Host with port; `docker.io` where none is written, as container runtimes have it.
    pub(super) registry: String,
    pub(super) repository: String,
    /// Empty when none is written.
    pub(super) tag: String,
    /// With its algorithm; empty when none is written.
    pub(super) digest: String,
}

/// Longest reference that is taken for one: the bounds of registry, repository and digest in the distribution's grammar, together.
const LONGEST: usize = 512;

impl Image {
    /// Reads a reference; `None` for what is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '{' | '}' | '"' | '\'' | '\\' | '=' | ',');
        if text.is_empty() || text.len() > LONGEST || text.starts_with(['/', '-', '.']) || text.contains("://") || text.contains(odd) {
            return None;
        }
        let (name, digest) = text.split_once('@').unwrap_or((text, ""));
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match name[last..].find(':') {
            Some(colon) => (&name[..last + colon], &name[last + colon + 1..]),
            None => (name, ""),
        };
        let (registry, repository) = match name.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest),
            _ => ("docker.io", name),
        };
        let registry = if registry == "index.docker.io" { "docker.io" } else { registry };
        let repository = if registry == "docker.io" { repository.strip_prefix("library/").unwrap_or(repository) } else { repository };
        if repository.is_empty() || repository.ends_with('/') {
            return None;
        }
        Some(Self { registry: registry.to_owned(), repository: repository.to_owned(), tag: tag.to_owned(), digest: digest.to_owned() })
    }

    /// A reference that stands where other things may stand too, such as an argument: it must name registry and tag or digest.
    pub(super) fn certain(text: &str) -> Option<Self> {
        let image = Self::parse(text)?;
        let fixed = !image.tag.is_empty() || !image.digest.is_empty();
        let port = image.tag.bytes().all(|b| b.is_ascii_digit()) && image.tag.len() > 3;
        (fixed && !port && image.registry != "docker.io" && text.contains('/')).then_some(image)
    }

    /// Registry and repository.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The last part of the repository, which mirrors keep.
    pub(super) fn short(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }

    /// What says which build it is: the tag, or else the digest in short.
    pub(super) fn build(&self) -> String {
        match (self.tag.as_str(), self.digest.as_str()) {
            ("", "") => "no tag".to_owned(),
            ("", digest) => digest.chars().take(19).collect(),
            (tag, _) => tag.to_owned(),
        }
    }
}

impl std::fmt::Display for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name())?;
        if !self.tag.is_empty() {
            write!(f, ":{}", self.tag)?;
        }
        if !self.digest.is_empty() {
            write!(f, "@{}", self.digest)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_in_parts() {
        let parts = |text: &str| Image::parse(text).map(|i| format!("{} | {} | {} | {}", i.registry, i.repository, i.tag, i.digest));
        for (text, expected) in [
            ("nginx", "docker.io | nginx |  | "),
            ("library/nginx:1.25", "docker.io | nginx | 1.25 | "),
            ("grafana/grafana:11.0.0", "docker.io | grafana/grafana | 11.0.0 | "),
            ("quay.io/prometheus/prometheus:v3.1.0-distroless", "quay.io | prometheus/prometheus | v3.1.0-distroless | "),
            ("localhost:5000/a/b/c:1@sha256:abc", "localhost:5000 | a/b/c | 1 | sha256:abc"),
            ("harbor.corp:8443/x", "harbor.corp:8443 | x |  | "),
            ("index.docker.io/library/redis", "docker.io | redis |  | "),
        ] {
            assert_eq!(parts(text).as_deref(), Some(expected), "{text}");
        }
        for none in ["", "/etc/config", "http://a/b:1", "--flag", "a b", "{{ image }}", "quay.io/"] {
            assert_eq!(parts(none), None, "{none}");
        }
    }

    #[test]
    fn an_argument_is_an_image_only_when_it_says_so() {
        for (text, certain) in [
            ("quay.io/prometheus-operator/prometheus-config-reloader:v0.90.1", true),
            ("quay.io/thanos/thanos@sha256:00ff", true),
            ("grafana/grafana:11", false),
            ("example.com/path:9090", false),
            ("kube-system/kubelet", false),
            ("0.0.0.0:8080", false),
        ] {
            assert_eq!(Image::certain(text).is_some(), certain, "{text}");
        }
    }
}
