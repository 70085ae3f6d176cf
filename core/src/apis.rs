//! The API versions and kinds that a cluster serves, in the form that `helm template --api-versions` takes.
//!
//! Most clusters of a fleet serve the same, so a list is known by the SHA-256 of its [canonical text](ApiList::canonical) and
//! travels only to who does not have it.

use std::collections::BTreeSet;

/// Entries of one list. A bare cluster has some 150, one with every kind of the three large Crossplane providers 4,000.
pub const MAX_ENTRIES: usize = 6_000;
/// Bytes of the canonical text: 6,000 entries of 42 bytes, the mean of the providers' long group names.
pub const MAX_BYTES: usize = 256 * 1024;
/// What an object's apiVersion and kind can have together: 253 for a group, 63 each for version and kind, two slashes.
const MAX_ENTRY: usize = 253 + 63 + 63 + 2;
/// Groups that did not answer; more than this is one sentence.
const MAX_INCOMPLETE: usize = 100;
/// A group and its version, or a sentence.
const MAX_WORDS: usize = 320;
/// The first line. Nothing else that is kept by its digest begins so: charts are gzip, values are maps, snapshots are JSON.
const HEADER: &str = "groundswell api list 1";

/// Why a text is no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadApiList {
    /// More than [`MAX_BYTES`].
    #[error("it has {0} bytes, at most {MAX_BYTES} are taken")]
    TooLarge(usize),
    /// More than [`MAX_ENTRIES`].
    #[error("it has more than {MAX_ENTRIES} entries")]
    TooMany,
    /// Another form, or no text at all.
    #[error("it does not begin with {HEADER:?}")]
    Header,
    /// A line that is neither an entry nor a remark, or that is not in its place.
    #[error("line {0} is no API version, or is not in order")]
    Line(usize),
}

/// What a cluster serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiList {
    versions: Vec<String>,
    incomplete: Vec<String>,
}

impl ApiList {
    /// A list of what was found. What goes beyond the limits is cut and said in [`ApiList::incomplete`]; so is what is no API version.
    ///
    /// `versions` are those without a kind, `kinds` those with one: where all is too much, kinds are left out first.
    pub fn new(versions: BTreeSet<String>, kinds: BTreeSet<String>, incomplete: BTreeSet<String>) -> Self {
        let found = versions.union(&kinds).count();
        let mut kept = BTreeSet::new();
        // The remarks have room of their own.
        let mut bytes = HEADER.len() + 1 + (MAX_INCOMPLETE + 1) * (MAX_WORDS + 3);
        for entry in versions.into_iter().chain(kinds).filter(|entry| is_entry(entry)) {
            bytes += entry.len() + 1;
            if kept.len() == MAX_ENTRIES || bytes > MAX_BYTES {
                break;
            }
            kept.insert(entry);
        }
        let groups = incomplete.len();
        let mut remarks: BTreeSet<String> = incomplete.into_iter().filter(|words| is_remark(words)).take(MAX_INCOMPLETE - 2).collect();
        if remarks.len() < groups {
            remarks.insert(format!("{} more groups that did not answer", groups - remarks.len()));
        }
        if kept.len() < found {
            remarks.insert(format!("{} of {found} entries are left out: too many, or no API versions", found - kept.len()));
        }
        Self { versions: kept.into_iter().collect(), incomplete: remarks.into_iter().collect() }
    }

    /// `v1`, `v1/Pod`, `apps/v1`, `apps/v1/Deployment` and so on, sorted, each once.
    pub fn versions(&self) -> &[String] {
        &self.versions
    }

    /// What is missing, in words: `metrics.k8s.io/v1beta1` for a group that did not answer.
    pub fn incomplete(&self) -> &[String] {
        &self.incomplete
    }

    /// One text for one list: the header, a line for each entry, and a line that begins with `! ` for each thing that is missing.
    pub fn canonical(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for entry in &self.versions {
            text.push_str(entry);
            text.push('\n');
        }
        for words in &self.incomplete {
            text.push_str("! ");
            text.push_str(words);
            text.push('\n');
        }
        text
    }

    /// Reads a canonical text; any other form of the same list is refused, so that one list has one digest.
    ///
    /// # Errors
    /// It is too large, or is not what [`ApiList::canonical`] makes.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadApiList> {
        if bytes.len() > MAX_BYTES {
            return Err(BadApiList::TooLarge(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| BadApiList::Header)?;
        let body = text.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('\n')).ok_or(BadApiList::Header)?;
        let mut list = Self::default();
        for (index, line) in body.split_inclusive('\n').enumerate() {
            let bad = BadApiList::Line(index + 2);
            let line = line.strip_suffix('\n').ok_or(bad.clone())?;
            match line.strip_prefix("! ") {
                Some(words) => {
                    let in_order = list.incomplete.last().is_none_or(|last| last.as_str() < words);
                    if !in_order || !is_remark(words) || list.incomplete.len() == MAX_INCOMPLETE {
                        return Err(bad);
                    }
                    list.incomplete.push(words.to_owned());
                }
                None => {
                    let in_order = list.incomplete.is_empty() && list.versions.last().is_none_or(|last| last.as_str() < line);
                    if !in_order || !is_entry(line) {
                        return Err(bad);
                    }
                    if list.versions.len() == MAX_ENTRIES {
                        return Err(BadApiList::TooMany);
                    }
                    list.versions.push(line.to_owned());
                }
            }
        }
        Ok(list)
    }
}

/// A version, a group and version, or either with a kind behind it. Which of two parts it is cannot be told, and need not.
fn is_entry(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    text.len() <= MAX_ENTRY && text.split('/').count() <= 3 && text.split('/').all(is_part)
}

fn is_remark(words: &str) -> bool {
    !words.is_empty() && words.len() <= MAX_WORDS && words.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(entries: &[&str]) -> BTreeSet<String> {
        entries.iter().map(|entry| (*entry).to_owned()).collect()
    }

    #[test]
    fn a_list_has_one_text_and_reads_back() {
        let list = ApiList::new(set(&["v1", "apps/v1"]), set(&["v1/Pod", "apps/v1/Deployment"]), set(&["metrics.k8s.io/v1beta1"]));
        let text = "groundswell api list 1\napps/v1\napps/v1/Deployment\nv1\nv1/Pod\n! metrics.k8s.io/v1beta1\n";
        assert_eq!(list.canonical(), text);
        assert_eq!(ApiList::parse(text.as_bytes()).unwrap(), list);
        assert_eq!(ApiList::parse(ApiList::default().canonical().as_bytes()).unwrap(), ApiList::default());
    }

    #[test]
    fn any_other_form_is_refused() {
        let text = |body: &str| format!("{HEADER}\n{body}").into_bytes();
        for bad in [
            "v1",
            "v1\nv1\n",
            "v1/Pod\nv1\n",
            "! x\nv1\n",
            "\n",
            " v1\n",
            "a/b/c/d\n",
            "v1/\n",
            "v1/Pöd\n",
            "! \n",
            "! a\x1b\n",
            "! b\n! a\n",
            "v1\r\n",
        ] {
            assert!(matches!(ApiList::parse(&text(bad)), Err(BadApiList::Line(_))), "{bad:?}");
        }
        for bad in [&b""[..], b"v1\n", b"groundswell api list 2\n", b"\xff"] {
            assert_eq!(ApiList::parse(bad), Err(BadApiList::Header), "{bad:?}");
        }
        assert!(matches!(ApiList::parse(&vec![b'x'; MAX_BYTES + 1]), Err(BadApiList::TooLarge(_))));
        let many: String = (0..=MAX_ENTRIES).map(|n| format!("v{n:06}\n")).collect();
        assert_eq!(ApiList::parse(&text(&many)), Err(BadApiList::TooMany));
    }

    #[test]
    fn what_is_too_much_is_cut_and_said_and_kinds_go_first() {
        let kinds: BTreeSet<String> = (0..MAX_ENTRIES).map(|n| format!("a.example.com/v1/Kind{n}")).collect();
        let list = ApiList::new(set(&["v1", "z.example.com/v1"]), kinds, (0..200).map(|n| format!("g{n}/v1")).collect());
        assert_eq!(list.versions().len(), MAX_ENTRIES);
        assert!(list.versions().contains(&"z.example.com/v1".to_owned()));
        assert!(list.incomplete().contains(&format!("2 of {} entries are left out: too many, or no API versions", MAX_ENTRIES + 2)));
        assert!(list.incomplete().contains(&"102 more groups that did not answer".to_owned()), "{:?}", list.incomplete());
        assert_eq!(ApiList::parse(list.canonical().as_bytes()).unwrap(), list);
    }

    proptest! {
        #[test]
        fn whatever_was_found_makes_a_list_that_reads_back(
            versions in prop::collection::btree_set(".{0,40}", 0..6),
            kinds in prop::collection::btree_set("[a-z.]{1,40}/v1/[A-Za-z]{1,20}", 0..20),
            incomplete in prop::collection::btree_set(".{0,330}", 0..4),
        ) {
            let list = ApiList::new(versions, kinds, incomplete);
            prop_assert!(list.canonical().len() <= MAX_BYTES);
            prop_assert_eq!(ApiList::parse(list.canonical().as_bytes()), Ok(list));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "(groundswell api list 1\n)?(.{0,20}\n){0,5}") {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                if let Ok(list) = ApiList::parse(bytes) {
                    let text = list.canonical();
                    prop_assert_eq!(text.as_bytes(), bytes);
                }
            }
        }
    }
}
