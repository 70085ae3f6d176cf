//! The programs of a control plane: where their source is pinned and how they are linked.

/// What Kubernetes calls itself here; charts with a `kubeVersion` read it.
pub(crate) const KUBERNETES: &str = "v1.36.3";

/// One program, built from one of our Go modules.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// Folder below `go/` with the module that pins it.
    pub(crate) module: &'static str,
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// What a program found on PATH must print to be taken.
    pub(crate) fits: &'static str,
    pub(crate) version_args: &'static [&'static str],
    /// Go variables set at link time.
    pub(crate) variables: &'static [(&'static str, &'static str)],
    /// Roughly, on two cores with an empty Go cache, in the order of the list.
    pub(crate) minutes: u32,
}

const COMPONENT: &[(&str, &str)] = &[
    ("k8s.io/component-base/version.gitVersion", KUBERNETES),
    ("k8s.io/component-base/version.gitMajor", "1"),
    ("k8s.io/component-base/version.gitMinor", "36"),
    ("k8s.io/component-base/version.gitTreeState", "clean"),
];

const fn component(name: &'static str, package: &'static str, minutes: u32) -> Tool {
    Tool {
        name,
        module: "kubernetes",
        package,
        version: KUBERNETES,
        fits: "v1.36.",
        version_args: &["--version"],
        variables: COMPONENT,
        minutes,
    }
}

/// Helm first: most work that waits for a build waits for helm.
pub(crate) const TOOLS: [Tool; 6] = [
    Tool {
        name: "helm",
        module: "helm",
        package: "helm.sh/helm/v3/cmd/helm",
        version: "v3.22.0",
        fits: "v3.",
        version_args: &["version", "--short"],
        variables: &[
            ("helm.sh/helm/v3/internal/version.version", "v3.22.0"),
            ("helm.sh/helm/v3/internal/version.gitTreeState", "clean"),
            ("helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor", "1"),
            ("helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor", "36"),
        ],
        minutes: 3,
    },
    Tool {
        name: "etcd",
        module: "etcd",
        package: "go.etcd.io/etcd/server/v3",
        version: "v3.6.16",
        fits: "etcd Version: 3.6.",
        version_args: &["--version"],
        variables: &[],
        minutes: 2,
    },
    component("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", 6),
    component("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", 2),
    component("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", 1),
    Tool {
        name: "kwok",
        module: "kwok",
        package: "sigs.k8s.io/kwok/cmd/kwok",
        version: "v0.8.0",
        fits: "v0.8.",
        version_args: &["--version"],
        variables: &[("sigs.k8s.io/kwok/pkg/consts.Version", "v0.8.0")],
        minutes: 2,
    },
];

/// Not part of a control plane: built when a test wants a registry.
pub(crate) const REGISTRY: Tool = Tool {
    name: "registry",
    module: "registry",
    package: "github.com/distribution/distribution/v3/cmd/registry",
    version: "v3.1.2",
    fits: "distribution/v3 v3.1.",
    version_args: &["--version"],
    variables: &[],
    minutes: 3,
};

impl Tool {
    pub(crate) fn linker_flags(&self) -> String {
        self.variables.iter().fold("-s -w".to_owned(), |flags, (name, value)| format!("{flags} -X {name}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_is_what_the_modules_pin() {
        for tool in TOOLS.into_iter().chain([REGISTRY]) {
            let path = format!("{}/go/{}/go.mod", env!("CARGO_MANIFEST_DIR"), tool.module);
            let pinned = std::fs::read_to_string(path).unwrap();
            let names_package = pinned.lines().any(|line| line.trim().trim_start_matches("tool ") == tool.package);
            assert!(names_package, "{} is no tool of its module", tool.package);
            let holds = |line: &str| {
                let mut words = line.trim().trim_start_matches("require ").split(' ');
                let (module, version) = (words.next(), words.next());
                module.is_some_and(|module| tool.package.starts_with(module)) && version == Some(tool.version)
            };
            assert!(pinned.lines().any(holds), "{} is not pinned at {}", tool.package, tool.version);
        }
    }
}
