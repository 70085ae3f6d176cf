//! Tables of what matters to us. Whether the grammar is Helm's is asked of Helm, in `tests/constraint_by_helm.rs`.

use super::*;
use proptest::prelude::*;

fn matches(constraint: &str, version: &str) -> bool {
    Constraint::parse(constraint).unwrap().matches(&Version::parse(version).unwrap())
}

#[test]
fn ranges_that_charts_use() {
    for (constraint, inside, outside) in [
        (">=1.25.0-0", "1.25.0 1.28.3+vmware.1 1.25.1-gke.3", "1.24.17 1.24.17-gke.1"),
        (">=1.25.0", "1.25.0 1.28.3+vmware.1", "1.25.1-gke.3 1.24.0"),
        ("^1.16.0-0", "1.16.0 v1.21.4-eks.1", "1.15.9 2.0.0"),
        ("1.2", "1.2.0 1.2.9", "1.3.0 1.2.0-rc.1"),
        ("1", "1.0.0 1.99.0", "2.0.0 0.9.0"),
        ("*", "0.0.1 99.0.0", "1.0.0-rc.1"),
        (">11", "12.0.0", "11.0.0 11.9.9"),
        (">11.1", "11.2.0 12.0.0", "11.1.9"),
        ("<=11", "11.9.9", "12.0.0"),
        ("<11", "10.9.9", "11.0.0"),
        ("1.2 - 1.4.5", "1.2.0 1.4.5", "1.1.9 1.4.6"),
        ("~1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2"),
        ("~>2.x", "2.9.0", "3.0.0"),
        ("^0.2.3", "0.2.9", "0.3.0 0.2.2"),
        ("^0.0.3", "0.0.3", "0.0.4"),
        (">=1.2, <2 || =>3 =<4", "1.9.0 3.5.0 4.9.0", "2.5.0 5.0.0"),
        ("!=1.2.3", "1.2.4", "1.2.3"),
        ("!=1.2.x", "1.3.0", "1.2.3"),
        ("!=1", "2.0.0", "1.2.3"),
    ] {
        for version in inside.split(' ') {
            assert!(matches(constraint, version), "{constraint} takes {version}");
        }
        for version in outside.split(' ') {
            assert!(!matches(constraint, version), "{constraint} does not take {version}");
        }
    }
}

#[test]
fn what_is_no_range() {
    for text in
        ["", " ", "abc", ">", "1 2 -", "1||", "1,,2", "1>2", "> = 1", "xx", "1.2.3.4", "1-01", "1.2.3-", ">=1 - 2", "99999999999999999999"]
    {
        assert!(Constraint::parse(text).is_err(), "{text:?}");
    }
    assert!(matches!(Constraint::parse(&" ".repeat(513)), Err(ConstraintError::TooLong { bytes: 513 })));
    assert!(matches!(Constraint::parse(&"1||".repeat(40)), Err(ConstraintError::TooManyGroups { groups: 41 })));
    let error = Constraint::parse(">=1.99999999999999999999.0").unwrap_err();
    assert_eq!(error.to_string(), r#"the version in ">=1.99999999999999999999.0" cannot be read"#);
}

#[test]
fn displayed_canonically() {
    let canonical = |text: &str| Constraint::parse(text).unwrap().to_string();
    assert_eq!(canonical("  >= 1.2,<2||~ v3 "), ">=1.2 <2 || ~v3");
    assert_eq!(canonical("1 - 2.x"), ">=1 <=2.x");
}

proptest! {
    #[test]
    fn nothing_panics(text in ".{0,40}", version in ".{0,20}") {
        let version = Version::parse(&version).unwrap_or_else(|_| Version::new(1, 2, 3));
        let _ = Constraint::parse(&text).map(|constraint| constraint.matches(&version));
    }

    #[test]
    fn canonical_means_the_same(text in "[ ]?(=|!=|>|<|>=|=>|~|\\^)?[ v]?[0-3x](\\.[0-3*]){0,2}(-[ab1])?(( \\|\\| |, | - )[0-3](\\.[0-3x]){0,2}){0,2}", major in 0u64..4, minor in 0u64..4, patch in 0u64..4) {
        if let Ok(constraint) = Constraint::parse(&text) {
            let again = Constraint::parse(&constraint.to_string()).unwrap();
            let version = Version::new(major, minor, patch);
            prop_assert_eq!(constraint.matches(&version), again.matches(&version), "{}", text);
        }
    }
}
