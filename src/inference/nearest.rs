//! Names of models: which are the same, and which one was probably meant.

/// Whether two names mean the same model. Ollama adds the tag `latest` where there is none and
/// does not look at upper and lower case.
pub fn is_same_model(one: &str, other: &str) -> bool {
    let (one, other) = (parts(one), parts(other));
    one == other
}

/// The installed model that was probably meant by `name`: one of the same name with another tag,
/// or one that differs in a few letters.
pub fn nearest<'a>(name: &str, installed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = parts(name);
    installed
        .into_iter()
        .filter_map(|candidate| Some((distance(&wanted, &parts(candidate))?, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

struct Name {
    base: String,
    tag: String,
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.base == other.base && self.tag == other.tag
    }
}

fn parts(name: &str) -> Name {
    let name = name.trim().to_lowercase();
    // A colon before the last slash is the port of a registry.
    let at = name.rfind('/').map_or(0, |slash| slash + 1);
    let (base, tag) = match name.get(at..).and_then(|last| last.rfind(':')) {
        Some(colon) => (&name[..at + colon], &name[at + colon + 1..]),
        None => (name.as_str(), "latest"),
    };
    Name {
        base: base.to_owned(),
        tag: tag.to_owned(),
    }
}

/// How far two names are apart; `None` when they have too little in common. Another base weighs
/// more than any other tag.
fn distance(wanted: &Name, candidate: &Name) -> Option<usize> {
    let base = edits(last_part(&wanted.base), last_part(&candidate.base));
    let allowed = (last_part(&wanted.base).chars().count() / 3).max(1);
    let tag = edits(&wanted.tag, &candidate.tag).min(99);
    (base <= allowed).then_some(base * 100 + tag)
}

fn last_part(base: &str) -> &str {
    base.rsplit('/').next().unwrap_or(base)
}

/// Letters to insert, delete or replace to make one text the other. Names are cut at 200 letters
/// because the work grows with the square.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(200).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (from, letter) in one.chars().take(200).enumerate() {
        let mut diagonal = from;
        let mut left = from + 1;
        for (above, &target) in row.iter_mut().skip(1).zip(&other) {
            let replaced = diagonal + usize::from(letter != target);
            diagonal = *above;
            left = replaced.min(*above + 1).min(left + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = from + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const INSTALLED: [&str; 5] = [
        "gemma3:4b",
        "gemma3:12b",
        "llama3.1:latest",
        "hf.co/unsloth/Qwen3-8B-GGUF:Q4_K_M",
        "nomic-embed-text:latest",
    ];

    #[rstest]
    #[case("gemma3", Some("gemma3:4b"))]
    #[case("gemma3:12", Some("gemma3:12b"))]
    #[case("Gema3:12b", Some("gemma3:12b"))]
    #[case("llama3.2", Some("llama3.1:latest"))]
    #[case("nomic-embed", None)]
    #[case("nomic-embed-txt", Some("nomic-embed-text:latest"))]
    #[case("qwen3-8b-gguf", Some("hf.co/unsloth/Qwen3-8B-GGUF:Q4_K_M"))]
    #[case("mistral", None)]
    #[case("", None)]
    fn the_nearest_model_is_suggested(#[case] name: &str, #[case] expected: Option<&str>) {
        assert_eq!(nearest(name, INSTALLED), expected);
    }

    #[rstest]
    #[case("g3n", "g3n:latest", true)]
    #[case("G3N:Latest", "g3n", true)]
    #[case("g3n:4b", "g3n", false)]
    #[case("localhost:5000/team/g3n", "localhost:5000/team/g3n:latest", true)]
    fn tags_and_case_are_completed(#[case] one: &str, #[case] other: &str, #[case] same: bool) {
        assert_eq!(is_same_model(one, other), same);
    }

    #[rstest]
    #[case("", "", 0)]
    #[case("abc", "", 3)]
    #[case("", "abc", 3)]
    #[case("kitten", "sitting", 3)]
    fn edits_are_counted(#[case] one: &str, #[case] other: &str, #[case] expected: usize) {
        assert_eq!(edits(one, other), expected);
    }
}
