//! What git would take for a repository of its own. Its configuration names programs, and git runs them for whoever says
//! `git status` in the folder that a chart was unpacked into, or has a prompt that does.

use std::collections::BTreeSet;

/// Whether some file system keeps a file or folder of this name as `.git`: Windows takes no notice of case, of blanks and dots at
/// the end and of what follows a colon, and knows it as `git~1`, too; macOS and Linux with case folding take none of characters
/// that are not shown. Git guards against the same names.
pub(super) fn is_dot_git(name: &str) -> bool {
    let name = name.split(':').next().unwrap_or_default();
    let shown: String = name.chars().filter(|c| !IGNORED.iter().any(|(first, last)| (first..=last).contains(&c))).collect();
    let shown = shown.trim_end_matches([' ', '.']);
    shown.eq_ignore_ascii_case(".git") || shown.eq_ignore_ascii_case("git~1")
}

/// Unicode's `Default_Ignorable_Code_Point`, of which HFS+ ignores a part and Linux' case folding all.
const IGNORED: &[(char, char)] = &[
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fff8}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// A folder that git takes for a repository without being named `.git`: it has `HEAD`, and `objects` and `refs` or a file that
/// says where those are. `paths` are all files and folders in lower case.
pub(super) fn bare_repository<'a>(paths: &BTreeSet<&'a str>) -> Option<&'a str> {
    paths.iter().copied().find_map(|path| {
        let folder = path.strip_suffix("head").filter(|folder| folder.is_empty() || folder.ends_with('/'))?;
        let has = |name: &str| paths.contains(format!("{folder}{name}").as_str());
        ((has("objects") && has("refs")) || has("commondir")).then_some(folder)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gits_folder_in_all_its_spellings() {
        for name in [
            ".git",
            ".GIT",
            ".Git",
            ".git ",
            ".git.",
            ".git . .",
            "git~1",
            "GIT~1",
            "git~1.",
            ".git::$INDEX_ALLOCATION",
            ".git:x",
            ".g\u{200c}it",
            "\u{feff}.git",
            ".git\u{200d}",
            ".gi\u{ad}t",
            ".g\u{fe0f}it",
        ] {
            assert!(is_dot_git(name), "{name:?}");
        }
        for name in ["git", ".gitignore", ".gitattributes", ".github", ".git-x", "x.git", "git~2", "~git", ".gi", ".git ignore", ""] {
            assert!(!is_dot_git(name), "{name:?}");
        }
    }

    #[test]
    fn a_repository_without_that_name() {
        let found = |paths: &[&'static str]| bare_repository(&paths.iter().copied().collect());
        assert_eq!(found(&["a/head", "a/objects", "a/refs", "a/refs/x"]), Some("a/"));
        assert_eq!(found(&["head", "objects", "refs"]), Some(""));
        assert_eq!(found(&["a/head", "a/commondir"]), Some("a/"));
        for paths in
            [&["a/head", "a/objects"][..], &["a/head", "objects", "refs"], &["a/objects", "a/refs", "a/ahead"], &["objects", "refs"]]
        {
            assert_eq!(found(paths), None, "{paths:?}");
        }
    }
}
