//! How a person reads a spelling: the judge's own comparison, over the letters that [`super::names`] writes with.
//! Nothing of it is the product's.

/// Reads a spelling: blanks around it, a dot at its end and what shows nothing are not there; case, width and the way
/// an accent is encoded make no difference.
pub(super) fn reads(text: &str) -> String {
    let text: String = text.chars().filter(|c| !shows_nothing(*c)).collect();
    let text = text.trim().trim_end_matches('.');
    let mut read = String::with_capacity(text.len());
    for c in text.chars().map(upright).flat_map(char::to_lowercase) {
        match c {
            'ß' => read.push_str("ss"),
            'ſ' => read.push('s'),
            'ς' => read.push('σ'),
            _ => match ACCENTED.iter().find(|(whole, _)| *whole == c) {
                Some((_, parts)) => read.push_str(parts),
                None => read.push(c),
            },
        }
    }
    read
}

/// As [`reads`], and letters that are drawn alike are one, whatever script they are of.
pub(super) fn looks(text: &str) -> String {
    let read = reads(text).replace("i\u{307}", "i");
    let drawn = |c| DISGUISES.iter().find(|(_, other)| *other == c);
    read.chars()
        .map(|c| drawn(c).map_or(c, |(plain, _)| *plain))
        .collect()
}

/// A letter, and one of another script that is drawn like it.
pub(super) const DISGUISES: [(char, char); 10] = [
    ('a', 'а'),
    ('c', 'с'),
    ('e', 'е'),
    ('i', 'ı'),
    ('i', 'і'),
    ('o', 'о'),
    ('p', 'р'),
    ('s', 'ѕ'),
    ('x', 'х'),
    ('y', 'у'),
];

/// Letters that may be written as one character or as two.
pub(super) const ACCENTED: [(char, &str); 6] = [
    ('á', "a\u{301}"),
    ('é', "e\u{301}"),
    ('í', "i\u{301}"),
    ('ί', "ι\u{301}"),
    ('ö', "o\u{308}"),
    ('ü', "u\u{308}"),
];

/// Characters that stand in an address and show nothing.
pub(super) const INVISIBLE: [char; 5] = ['\u{200b}', '\u{200d}', '\u{2060}', '\u{feff}', '\u{ad}'];

fn shows_nothing(c: char) -> bool {
    INVISIBLE.contains(&c)
}

/// Full-width and mathematical letters are the plain ones, and so is the sign of the unit kelvin.
fn upright(c: char) -> char {
    let shifted = |from: u32, to: char| char::from_u32(u32::from(c) - from + u32::from(to));
    let plain = match u32::from(c) {
        n @ 0xff01..=0xff5e => char::from_u32(n - 0xfee0),
        0x1d400..=0x1d419 => shifted(0x1d400, 'A'),
        0x1d41a..=0x1d433 => shifted(0x1d41a, 'a'),
        0x212a => Some('K'),
        _ => None,
    };
    plain.unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_takes_for_one_is_one() {
        for (one, other) in [
            ("breakglass@contoso.com", " BREAKGLASS@contoso.com. "),
            ("breakglass@contoso.com", "ｂreakgla\u{200b}ß@contoso.com"),
            (
                "breakglass@contoso.com",
                "brea\u{212a}gla\u{17f}s@contoso.com",
            ),
            ("νίκος@contoso.com", "ΝΊΚΟΣ@contoso.com"),
            ("jos\u{e9}@contoso.com", "JOSE\u{301}@contoso.com"),
        ] {
            assert_eq!(reads(one), reads(other));
        }
        assert_eq!(reads("straße"), reads("STRASSE"));
        assert_ne!(reads("rооt"), reads("root"));
        assert_eq!(looks("rооt"), looks("root"));
        assert_eq!(looks("ıs"), looks("İS"));
        assert_ne!(looks("jose"), looks("josé"));
    }
}
