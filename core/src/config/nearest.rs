//! "Did you mean …?"

/// The candidate that a typo most likely meant, if any is close enough to be helpful.
pub(super) fn nearest<'a>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let allowed = (typed.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&typed, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What is allowed, the nearest first.
pub(super) fn choices<'a>(typed: &str, allowed: impl IntoIterator<Item = &'a str>) -> String {
    let allowed: Vec<&str> = allowed.into_iter().collect();
    if allowed.is_empty() {
        return "nothing is allowed here".to_owned();
    }
    let all = format!("allowed: {}", allowed.join(", "));
    match nearest(typed, allowed) {
        Some(near) => format!("did you mean {near}? {all}"),
        None => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_key_and_nonsense_finds_none() {
        let keys = ["tenant", "client_id", "client_secret"];
        assert_eq!(nearest("tennant", keys), Some("tenant"));
        assert_eq!(nearest("clientid", keys), Some("client_id"));
        assert_eq!(nearest("Tenant", keys), Some("tenant"));
        assert_eq!(nearest("proxy", keys), None);
    }
}
