//! Release documents as a test needs them.

/// A Release with a strategy of its own; what is not said is short enough for a test.
#[derive(Clone, Debug)]
pub struct Release {
    name: String,
    chart: String,
    selector: String,
    values: String,
    overrides: String,
    strategy: String,
}

impl Release {
    /// A release of the chart in a folder beside the document, on clusters that a selector matches.
    pub fn new(name: &str, chart: &str, selector: &str) -> Self {
        Self {
            name: name.into(),
            chart: chart.into(),
            selector: selector.into(),
            values: String::new(),
            overrides: String::new(),
            strategy: "each: {deadline: 60s, bake: 1s, maxConcurrent: 100%, gates: [ready: {for: 1s}]}".into(),
        }
    }

    /// Its values, as text.
    #[must_use]
    pub fn values(mut self, text: &str) -> Self {
        self.values = text.into();
        self
    }

    /// One more override.
    #[must_use]
    pub fn over(mut self, selector: &str, text: &str) -> Self {
        self.overrides += &format!("    - selector: {selector}\n      values: |\n{}", indented(8, text));
        self
    }

    /// The body of its `strategySpec`.
    #[must_use]
    pub fn strategy(mut self, text: &str) -> Self {
        self.strategy = text.into();
        self
    }

    /// The document.
    pub fn text(&self) -> String {
        let Self { name, chart, selector, values, overrides, strategy } = self;
        let values = if values.is_empty() { String::new() } else { format!("  values: |\n{}", indented(4, values)) };
        let overrides = if overrides.is_empty() { String::new() } else { format!("  overrides:\n{overrides}") };
        format!(
            "apiVersion: groundswell.dev/v1alpha1\nkind: Release\nmetadata:\n  name: {name}\nspec:\n  namespace: demo\n  chart:\n    path: {chart}\n  \
             clusters:\n    selector: \"{selector}\"\n{values}{overrides}  strategySpec:\n{}",
            indented(4, strategy)
        )
    }
}

fn indented(by: usize, text: &str) -> String {
    let pad = " ".repeat(by);
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{pad}{line}\n") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_a_document() {
        let release = Release::new("beacon", "./beacon", "a=b").values("a: 1\n\nb: |\n  text").over("c=d", "a: 2");
        let read = groundswell_api::document::parse("release.yaml", &release.text());
        assert!(read.is_ok(), "{read:?}\n{}", release.text());
    }
}
