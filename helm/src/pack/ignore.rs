//! `.helmignore`, by Helm's rules (which are not git's): patterns of Go's `filepath.Match`, no `**`, the first match decides,
//! a negated pattern ignores all that it does not match.

struct Pattern {
    glob: Vec<char>,
    negate: bool,
    folder: bool,
    whole_path: bool,
}

/// The rules of one chart.
pub(super) struct Rules {
    patterns: Vec<Pattern>,
}

impl Default for Rules {
    /// Helm's own rule (files in `templates/` that begin with a dot), and one of ours; the other stands in [`Rules::ignored`].
    fn default() -> Self {
        let mut rules = Self { patterns: Vec::new() };
        rules.add_defaults();
        rules
    }
}

impl Rules {
    /// Reads a `.helmignore`; the error has the line, from 1.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut rules = Self { patterns: Vec::new() };
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            rules.add(line).map_err(|reason| (index + 1, reason))?;
        }
        rules.add_defaults();
        Ok(rules)
    }

    fn add_defaults(&mut self) {
        let mut add =
            |glob: &str| self.patterns.push(Pattern { glob: glob.chars().collect(), negate: false, folder: false, whole_path: true });
        add("templates/.?*");
        // What `chart pull` notes down about a folder is not of the chart.
        add(super::PULL_RECORD);
    }

    fn add(&mut self, line: &str) -> Result<(), &'static str> {
        let mut rule = line.trim();
        if rule.is_empty() || rule.starts_with('#') {
            return Ok(());
        }
        if rule.contains("**") {
            return Err("double-star (**) is not supported by Helm");
        }
        let negate = rule.starts_with('!');
        rule = rule.strip_prefix('!').unwrap_or(rule);
        let folder = rule.ends_with('/');
        rule = rule.strip_suffix('/').unwrap_or(rule);
        let whole_path = rule.contains('/');
        rule = rule.strip_prefix('/').unwrap_or(rule);
        let glob: Vec<char> = rule.chars().collect();
        if !well_formed(&glob) {
            return Err("pattern has an unfinished [ or \\");
        }
        self.patterns.push(Pattern { glob, negate, folder, whole_path });
        Ok(())
    }

    /// Whether Helm would leave this path (relative, with `/`) out.
    pub(super) fn ignored(&self, path: &str, is_folder: bool) -> bool {
        // Archives with it are refused, and a checkout (of a submodule, too) has one that nobody means to pack.
        if path.rsplit('/').next() == Some(".git") {
            return true;
        }
        for pattern in &self.patterns {
            let subject = if pattern.whole_path { path } else { path.rsplit('/').next().unwrap_or(path) };
            let matched = || matches(&pattern.glob, &subject.chars().collect::<Vec<_>>());
            if pattern.negate {
                if (pattern.folder && !is_folder) || !matched() {
                    return true;
                }
                continue;
            }
            if (is_folder || !pattern.folder) && matched() {
                return true;
            }
        }
        false
    }
}

/// One step of a pattern: what it accepts, and where the next step begins. `None` for a broken pattern.
fn step(glob: &[char], at: usize) -> Option<(Step, usize)> {
    match *glob.get(at)? {
        '*' => Some((Step::Many, at + 1)),
        '?' => Some((Step::Any, at + 1)),
        '\\' => Some((Step::One(*glob.get(at + 1)?), at + 2)),
        '[' => {
            let mut at = at + 1;
            let negate = glob.get(at) == Some(&'^');
            if negate {
                at += 1;
            }
            let mut ranges = Vec::new();
            loop {
                if glob.get(at) == Some(&']') && !ranges.is_empty() {
                    return Some((Step::Class { negate, ranges }, at + 1));
                }
                let (low, next) = class_char(glob, at)?;
                let (high, next) = if glob.get(next) == Some(&'-') { class_char(glob, next + 1)? } else { (low, next) };
                ranges.push((low, high));
                at = next;
            }
        }
        other => Some((Step::One(other), at + 1)),
    }
}

fn class_char(glob: &[char], at: usize) -> Option<(char, usize)> {
    match *glob.get(at)? {
        '-' | ']' => None,
        '\\' => Some((*glob.get(at + 1)?, at + 2)),
        other => Some((other, at + 1)),
    }
}

enum Step {
    Many,
    Any,
    One(char),
    Class { negate: bool, ranges: Vec<(char, char)> },
}

impl Step {
    fn accepts(&self, c: char) -> bool {
        match self {
            Step::Many | Step::Any => c != '/',
            Step::One(one) => *one == c,
            Step::Class { negate, ranges } => ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negate,
        }
    }
}

fn well_formed(glob: &[char]) -> bool {
    let mut at = 0;
    while at < glob.len() {
        match step(glob, at) {
            Some((_, next)) => at = next,
            None => return false,
        }
    }
    true
}

/// Go's `filepath.Match`: `*` and `?` stop at a slash. Only the last star is tried again, so time is at most quadratic.
fn matches(glob: &[char], name: &[char]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = step(glob, at);
        if let Some((Step::Many, next)) = step {
            star = Some((next, seen));
            at = next;
            continue;
        }
        if let (Some((step, next)), Some(c)) = (&step, name.get(seen))
            && step.accepts(*c)
        {
            (at, seen) = (*next, seen + 1);
            continue;
        }
        if at >= glob.len() && seen >= name.len() {
            return true;
        }
        match star {
            Some((after, from)) if from < name.len() && name[from] != '/' => {
                star = Some((after, from + 1));
                (at, seen) = (after, from + 1);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(pattern: &str, name: &str) -> bool {
        matches(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
    }

    #[test]
    fn globs_are_gos() {
        for (pattern, name, expected) in [
            ("*.md", "README.md", true),
            ("*.md", "docs/README.md", false),
            ("docs/*.md", "docs/a.md", true),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "aXXbYY", false),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("*/b", "a/b", true),
            ("*", "a/b", false),
        ] {
            assert_eq!(glob(pattern, name), expected, "{pattern} {name}");
        }
        assert!(!glob(&"*a".repeat(30), &"a".repeat(29)));
    }

    #[test]
    fn rules_are_helms() {
        let rules = Rules::parse("# comment\n\n*.swp\n.hg/\n/root.txt\nci/*.yaml\n").unwrap();
        for (path, folder, expected) in [
            ("a.swp", false, true),
            ("templates/a.swp", false, true),
            (".hg", true, true),
            (".hg", false, false),
            ("sub/.git", true, true),
            (".git", false, true),
            (".gitignore", false, false),
            ("root.txt", false, true),
            ("sub/root.txt", false, false),
            ("ci/a.yaml", false, true),
            ("templates/.hidden.yaml", false, true),
            ("templates/_helpers.tpl", false, false),
            (".helmignore", false, false),
        ] {
            assert_eq!(rules.ignored(path, folder), expected, "{path}");
        }
        assert!(Rules::parse("!*.yaml").unwrap().ignored("a.txt", false));
        assert_eq!(Rules::parse("a\na**b").err().map(|e| e.0), Some(2));
        assert_eq!(Rules::parse("[a").err().map(|e| e.0), Some(1));
    }
}
