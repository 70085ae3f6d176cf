//! PromQL, so far as to know whether two spellings are the same expression.

/// An expression without comments, and without whitespace that means nothing.
pub(super) fn normal(expr: &str) -> String {
    let mut out = String::with_capacity(expr.len());
    let mut quote: Option<char> = None;
    let mut chars = expr.chars().peekable();
    let mut gap = false;
    while let Some(c) = chars.next() {
        if let Some(q) = quote {
            out.push(c);
            if c == '\\' && q != '`' {
                out.extend(chars.next());
            } else if c == q {
                quote = None;
            }
            continue;
        }
        match c {
            '#' => {
                while chars.next_if(|c| *c != '\n').is_some() {}
                gap = true;
            }
            c if c.is_whitespace() => gap = true,
            c => {
                // Between two words a gap matters (`a and b`, `by (x)` does not), and between two operators (`> -1` does not).
                if gap && word(c) && out.chars().next_back().is_some_and(word) {
                    out.push(' ');
                }
                gap = false;
                if matches!(c, '"' | '\'' | '`') {
                    quote = Some(c);
                }
                out.push(c);
            }
        }
    }
    out
}

fn word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | ':' | '.')
}

/// Whether an expression or a dashboard names this metric.
pub(super) fn names(text: &str, metric: &str) -> bool {
    !metric.is_empty()
        && text.match_indices(metric).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + metric.len()..].chars().next();
            !before.is_some_and(word) && !after.is_some_and(word)
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_in_other_spellings() {
        let spellings = [
            "sum by (job) (rate(x{a=\"b c\"}[5m]))\n  > 0.5",
            "sum by(job)(rate(x{a=\"b c\"}[5m])) > 0.5",
            "# why\nsum  by (job) ( rate( x{ a = \"b c\" }[5m] ) ) # how\n>0.5",
        ];
        for spelling in spellings {
            assert_eq!(normal(spelling), r#"sum by(job)(rate(x{a="b c"}[5m]))>0.5"#);
        }
        assert_ne!(normal("x{a=\"b  c\"}"), normal("x{a=\"b c\"}"), "within quotes whitespace counts");
        assert_ne!(normal("a and b"), normal("aandb"));
    }

    #[test]
    fn a_metric_is_a_whole_word() {
        assert!(names("sum(job:x:rate5m) > 1", "job:x:rate5m"));
        assert!(!names("sum(job:x:rate5m_total)", "job:x:rate5m"));
        assert!(!names("sum(a:job:x:rate5m)", "job:x:rate5m"));
    }

    proptest! {
        #[test]
        fn normal_of_normal_is_itself(expr in ".{0,80}") {
            let once = normal(&expr);
            prop_assert_eq!(normal(&once), once);
        }
    }
}
