//! The words people's names are made of. Both lists are sorted and share no word, so a name can be taken apart again.

/// Given names.
pub(crate) const FIRST: [&str; 64] = [
    "ada", "agnes", "alan", "alice", "amara", "anders", "anita", "barbara", "bela", "ben", "carla",
    "chen", "clara", "daniel", "daria", "diego", "dora", "edsger", "elena", "emil", "emmy", "erik",
    "fatima", "felix", "frances", "gita", "grace", "hana", "henrik", "hugo", "ida", "imran",
    "ines", "ivan", "jade", "jonas", "julia", "kai", "karen", "katya", "lars", "leila", "lena",
    "linus", "luca", "maria", "mateo", "mina", "nadia", "nils", "noor", "olga", "omar", "oskar",
    "paula", "petra", "priya", "rafael", "rosa", "samir", "sara", "sofia", "tariq", "tomas",
];

/// Family names.
pub(crate) const LAST: [&str; 64] = [
    "abbott",
    "adeyemi",
    "almeida",
    "andersen",
    "baker",
    "banerjee",
    "becker",
    "bianchi",
    "carter",
    "castro",
    "cohen",
    "costa",
    "dahl",
    "dubois",
    "eriksen",
    "farah",
    "fischer",
    "foster",
    "garcia",
    "goldberg",
    "gruber",
    "haddad",
    "hansen",
    "hoffman",
    "hopper",
    "ito",
    "ivanova",
    "jansen",
    "johansson",
    "kaplan",
    "keller",
    "khan",
    "kim",
    "kowalski",
    "larsen",
    "lopez",
    "lovelace",
    "marino",
    "meyer",
    "mori",
    "murphy",
    "nakamura",
    "nguyen",
    "novak",
    "okafor",
    "olsen",
    "patel",
    "pereira",
    "quinn",
    "ramirez",
    "rossi",
    "sato",
    "schmidt",
    "silva",
    "singh",
    "tanaka",
    "torres",
    "turing",
    "vargas",
    "weber",
    "wong",
    "yilmaz",
    "zhang",
    "zimmer",
];

/// The place of a name in its list.
pub(crate) fn position(list: &[&str; 64], name: &str) -> Option<u32> {
    list.binary_search(&name).ok().map(|at| at as u32)
}

/// `ada` as `Ada`.
pub(crate) fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_share_no_word() {
        assert!(FIRST.is_sorted() && LAST.is_sorted());
        assert!(FIRST.iter().all(|name| position(&LAST, name).is_none()));
    }
}
