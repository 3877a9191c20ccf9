//! The protected list as people spell it, and as people disguise it.
//!
//! A lane knows the list by immutable ids as well, and is what finally stops a call; here a protected person shows
//! before the yes.

use std::collections::HashSet;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::report::{Detail, OutcomeName, Unsupported};

/// The spellings of the protected list.
#[derive(Debug, Clone, Default)]
pub(super) struct ProtectedSpellings {
    skeletons: HashSet<String>,
}

impl ProtectedSpellings {
    pub(super) fn new(entries: &[String]) -> Self {
        Self {
            skeletons: entries.iter().map(|entry| skeleton(entry)).collect(),
        }
    }

    /// Whether a spelling is on the list, or looks as if it were.
    pub(super) fn covers(&self, spelling: &str) -> bool {
        !self.skeletons.is_empty() && self.skeletons.contains(&skeleton(spelling))
    }
}

/// Why a protected person's job is refused.
pub(super) fn refusal() -> Detail {
    Detail {
        outcome: Some(OutcomeName::Protected),
        refusal: Some(Unsupported::new(
            "the account is on the protected list, or its name cannot be told from one that is",
            "if the sessions must end, take it off `protected` in the configuration first",
        )),
        ..Detail::default()
    }
}

/// The form in which two spellings that a person cannot tell apart are one: compatibility forms (full-width,
/// mathematical, circled letters) become plain, case goes, and letters of other scripts that look like an ASCII
/// character become it. ASCII characters that resemble each other stay apart: `adminl` may be somebody.
fn skeleton(text: &str) -> String {
    let text = text.trim();
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let normalizer = ComposingNormalizerBorrowed::new_nfkc();
    let upright = normalizer.normalize(text);
    let lower = upright.chars().map(capital_look_alike).collect::<String>();
    let plain: String = lower.to_lowercase().chars().map(look_alike).collect();
    // Folding may open a new compatibility form, such as a dotted capital I.
    normalizer.normalize(&plain).replace("i\u{307}", "i")
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
    use super::*;

    #[test]
    fn a_protected_person_is_known_in_every_disguise() {
        let list =
            ProtectedSpellings::new(&["BreakGlass@Contoso.com".into(), "Ünal@contoso.com".into()]);
        for spelling in [
            "breakglass@contoso.com",
            "  BREAKGLASS@CONTOSO.COM ",
            "breаkglass@contoso.com",
            "ВREAKGLASS@contoso.com",
            "brеаkglаss@cоntоsо.cоm",
            "ｂｒｅａｋｇｌａｓｓ＠ｃｏｎｔｏｓｏ．ｃｏｍ",
            "𝐛𝐫𝐞𝐚𝐤𝐠𝐥𝐚𝐬𝐬@contoso.com",
            "breakglass@contoso。com",
            "breakglaſſ@contoso.com",
            "ΒRΕΑΚGLΑSS@CΟΝΤΟSΟ.CΟΜ",
            "bre\u{430}kgla\u{455}\u{455}@contoso.com",
            "BREAKGLASS@CONTOSO.COM".to_uppercase().as_str(),
            "u\u{308}nal@contoso.com",
            "ÜNAL@contoso.com",
        ] {
            assert!(list.covers(spelling), "{spelling}");
        }
        for other in [
            "breakglass1@contoso.com",
            "break@contoso.com",
            "unal@contoso.com",
            "",
        ] {
            assert!(!list.covers(other), "{other}");
        }
    }

    #[test]
    fn an_empty_list_protects_nobody() {
        assert!(!ProtectedSpellings::new(&[]).covers("ada@contoso.com"));
        assert!(!ProtectedSpellings::default().covers(""));
    }
}
