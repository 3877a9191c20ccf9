//! The forms in which spellings are compared where a person could not tell them apart.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::subject::is_unprintable;

/// The forms of a spelling; two that a person could not tell apart share one.
///
/// Compatibility forms (full-width, mathematical, circled letters) become plain, case and its kin go (`ß` and `SS`), what
/// shows nothing is not there, nor a dot at the end, and letters of other scripts that look like an ASCII character
/// become it. ASCII characters that resemble each other stay apart: `adminl` may be somebody.
///
/// Some capitals look like another ASCII letter than their small forms do (`Ν` and `ν`), so most texts beyond ASCII have
/// two forms.
pub(crate) fn forms(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let (small, large) = small_and_large(text);
    // A dot alone, or a text that shows nothing, is like nobody.
    [Some(small), large.map(Cow::Owned)]
        .into_iter()
        .flatten()
        .filter(|form| !form.is_empty())
}

fn small_and_large(text: &str) -> (Cow<'_, str>, Option<String>) {
    if text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_control()) {
        let text = stripped(text);
        // Every spelling of every person is compared, and most are small already.
        let small = if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        };
        return (small, None);
    }
    let visible: String = text.chars().filter(|c| !is_unprintable(*c)).collect();
    let upright = normalized(&visible);
    let upright = stripped(&upright);
    let capitals: String = upright.chars().map(capital_look_alike).collect();
    let (small, large) = (drawn(upright), drawn(&capitals));
    let large = (large != small).then_some(large);
    (Cow::Owned(small), large)
}

/// Without what stands around it: blanks, and the dot that ends a full domain name.
fn stripped(text: &str) -> &str {
    text.trim().trim_end_matches('.')
}

fn normalized(text: &str) -> String {
    let normalizer = ComposingNormalizerBorrowed::new_nfkc();
    normalizer.normalize(text).into_owned()
}

fn drawn(upright: &str) -> String {
    // By way of the capitals, because `ß` shares them with `ss`, and `ς` with `σ`; from the small ones, because `ẞ` has
    // no other capitals.
    let small = upright.chars().flat_map(char::to_lowercase);
    let capitals = small.flat_map(char::to_uppercase);
    let folded: String = capitals.flat_map(char::to_lowercase).collect();
    let plain: String = normalized(&folded).chars().map(look_alike).collect();
    // Folding may open a new compatibility form, such as a dotted capital I.
    normalized(&plain).replace("i\u{307}", "i")
}

/// The capitals that look like another ASCII letter than their small forms do.
fn capital_look_alike(c: char) -> char {
    match c {
        'В' | 'Β' => 'b',
        'Η' => 'h',
        'Ν' => 'n',
        'Υ' => 'y',
        'Ζ' => 'z',
        'Μ' => 'm',
        other => other,
    }
}

/// The ASCII character that a lower-case letter of another script is drawn like in most fonts (after the confusables
/// of Unicode Technical Standard 39).
fn look_alike(c: char) -> char {
    match c {
        'а' | 'α' | 'ɑ' | 'ａ' => 'a',
        'ь' | 'ƅ' | 'в' | 'β' => 'b',
        'с' | 'ϲ' | 'ᴄ' | 'ⅽ' => 'c',
        'ԁ' | 'ɗ' | 'ⅾ' => 'd',
        'е' | 'ҽ' | 'ε' | 'ɛ' => 'e',
        'ſ' | 'ƒ' => 'f',
        'ɡ' | 'ց' => 'g',
        'һ' | 'հ' | 'н' => 'h',
        'і' | 'ι' | 'ı' | 'ɩ' | 'ӏ' => 'i',
        'ј' | 'ϳ' => 'j',
        'к' | 'κ' => 'k',
        'ⅼ' | 'ǀ' | 'ɫ' => 'l',
        'м' | 'ⅿ' => 'm',
        'ո' | 'п' | 'η' => 'n',
        'о' | 'ο' | 'σ' | 'օ' | 'ᴏ' => 'o',
        'р' | 'ρ' | 'ϱ' => 'p',
        'ԛ' | 'գ' => 'q',
        'г' | 'ᴦ' | 'ⲅ' => 'r',
        'ѕ' | 'ƽ' | 'ꜱ' => 's',
        'т' | 'τ' => 't',
        'υ' | 'μ' | 'ս' | 'ʋ' | 'ᴜ' => 'u',
        'ѵ' | 'ν' | 'ⅴ' | 'ᴠ' => 'v',
        'ѡ' | 'ԝ' | 'ω' | 'ᴡ' => 'w',
        'х' | 'χ' | 'ⅹ' => 'x',
        'у' | 'γ' | 'ү' | 'ყ' => 'y',
        'ᴢ' | 'ƶ' => 'z',
        'З' | 'з' | 'ӡ' => '3',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2043}' | '\u{00ad}' => '-',
        '\u{3002}' | '\u{ff61}' | '\u{0701}' | '\u{0660}' | '\u{06f0}' => '.',
        '\u{2044}' | '\u{2215}' => '/',
        '\u{2018}' | '\u{2019}' | '\u{02bc}' | '\u{02b9}' => '\'',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::subject::fold;

    fn are_alike(one: &str, other: &str) -> bool {
        forms(one).any(|form| forms(other).any(|alike| form == alike))
    }

    #[test]
    fn what_a_person_cannot_tell_apart_shares_a_form() {
        for (one, other) in [
            ("breakglass@contoso.com", " BREAKGLASS@contoso.com. "),
            ("breakglass@contoso.com", "ｂreakgla\u{200b}ß@contoso.com．"),
            (
                "breakglass@contoso.com",
                "break\u{ad}gla\u{17f}s@contoso.com",
            ),
            ("STRASSE@contoso.com", "straße@contoso.com"),
            ("STRAẞE@contoso.com", "straße@contoso.com"),
            ("νίκος@contoso.com", "ΝΊΚΟΣ@contoso.com"),
            ("νίκος@contoso.com", "Νίκος@cоntoso.com"),
            ("ας.β@contoso.com", "ΑΣ.Β@contoso.com"),
            ("jos\u{e9}@contoso.com", "JOSE\u{301}@contoso.com"),
            ("kim@contoso.com", "\u{212a}İm@contoso.com"),
        ] {
            assert!(are_alike(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("jose@contoso.com", "josé@contoso.com"),
            ("adminl@contoso.com", "admin1@contoso.com"),
            ("straße@contoso.com", "strase@contoso.com"),
        ] {
            assert!(!are_alike(one, other), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn whatever_folding_makes_one_shares_a_form(text in "\\PC{1,12}") {
            prop_assume!(forms(&text).next().is_some());
            for other in [fold(&text), text.to_uppercase()] {
                if fold(&other) == fold(&text) {
                    prop_assert!(are_alike(&text, &other), "{text:?} {other:?}");
                }
            }
        }
    }
}
