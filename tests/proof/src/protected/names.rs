//! What people are called, and how else their names may be written.

use super::reading::{ACCENTED, DISGUISES, INVISIBLE};
use crate::chance::Chance;

const LOCALS: [&str; 12] = [
    "breakglass",
    "root.admin",
    "kim",
    "isabel",
    "strasse",
    "straße",
    "josé",
    "ünal",
    "νίκος",
    "fiona-x",
    "scope",
    "sk.ops",
];

/// Where people have their main addresses; a provider may be for the first alone.
pub(super) const DOMAINS: [&str; 3] = ["contoso.com", "example.com", "mail.example.com"];

/// An address that nobody else has, however it is read: each number is given once.
pub(super) fn address(chance: &mut Chance, number: usize, domain: usize) -> String {
    let local = chance.pick(&LOCALS);
    format!("{local}{number}@{}", DOMAINS[domain % DOMAINS.len()])
}

/// A way to write a spelling otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disguise {
    Case,
    Blanks,
    Width,
    Compatibility,
    SharpS,
    Accents,
    OtherScript,
    Invisible,
    TrailingDot,
}

const ALL: [Disguise; 9] = [
    Disguise::Case,
    Disguise::Blanks,
    Disguise::Width,
    Disguise::Compatibility,
    Disguise::SharpS,
    Disguise::Accents,
    Disguise::OtherScript,
    Disguise::Invisible,
    Disguise::TrailingDot,
];

/// Writes a spelling in one or two other ways; it may come out as it was.
pub(super) fn disguised(chance: &mut Chance, text: &str) -> String {
    let mut text = disguise(chance, text);
    if chance.one_in(3) {
        text = disguise(chance, &text);
    }
    text
}

fn disguise(chance: &mut Chance, text: &str) -> String {
    match chance.pick(&ALL) {
        Disguise::Case => cased(chance, text),
        Disguise::Blanks => blanks(chance, text),
        Disguise::Width => each(chance, text, |c| {
            c.is_ascii_graphic()
                .then(|| char::from_u32(u32::from(c) + 0xfee0))
                .flatten()
        }),
        Disguise::Compatibility => each(chance, text, |c| match c {
            'k' => Some('\u{212a}'),
            's' => Some('ſ'),
            'a'..='z' => char::from_u32(u32::from(c) - u32::from('a') + 0x1d41a),
            _ => None,
        }),
        Disguise::SharpS if text.contains("ss") => text.replacen("ss", "ß", 1),
        Disguise::SharpS => text.replacen('ß', "SS", 1),
        Disguise::Accents => ACCENTED
            .iter()
            .fold(text.to_owned(), |text, (whole, parts)| {
                if text.contains(parts) {
                    text.replace(parts, &whole.to_string())
                } else {
                    text.replace(*whole, parts)
                }
            }),
        Disguise::OtherScript => {
            let way = chance.below(2);
            each(chance, text, |c| {
                let mut alike = DISGUISES.iter().filter(|(plain, _)| *plain == c);
                alike
                    .nth(way)
                    .or_else(|| DISGUISES.iter().find(|(plain, _)| *plain == c))
                    .map(|(_, other)| *other)
            })
        }
        Disguise::Invisible => {
            let places: Vec<usize> = text
                .char_indices()
                .skip(1)
                .map(|(place, _)| place)
                .collect();
            let mut text = text.to_owned();
            if !places.is_empty() {
                text.insert(*chance.pick(&places), *chance.pick(&INVISIBLE));
            }
            text
        }
        Disguise::TrailingDot => format!("{text}."),
    }
}

/// Replaces some of the characters that can be, one at least.
fn each(chance: &mut Chance, text: &str, other: impl Fn(char) -> Option<char>) -> String {
    let able = text.chars().filter(|c| other(*c).is_some()).count();
    if able == 0 {
        return text.to_owned();
    }
    let (sure, all) = (chance.below(able), chance.one_in(4));
    let mut n = 0;
    let mut replace = |c: char| {
        let Some(to) = other(c) else { return c };
        n += 1;
        if all || n == sure + 1 || chance.one_in(4) {
            to
        } else {
            c
        }
    };
    text.chars().map(&mut replace).collect()
}

/// Random case, where a letter has another case that is one letter and leads back.
pub(super) fn cased(chance: &mut Chance, text: &str) -> String {
    let way = chance.below(3);
    let turn = |c: char| {
        let mut upper = c.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(u), None) if u.to_lowercase().eq(c.to_lowercase()) => u,
            _ => c,
        }
    };
    text.chars()
        .map(|c| match way {
            0 => turn(c),
            1 if chance.one_in(2) => turn(c),
            _ => c,
        })
        .collect()
}

/// Blanks around it, or none.
pub(super) fn blanks(chance: &mut Chance, text: &str) -> String {
    let (before, after) = (
        chance.pick(&["", " ", "\t", "  "]),
        chance.pick(&["", " ", "   "]),
    );
    format!("{before}{text}{after}")
}
