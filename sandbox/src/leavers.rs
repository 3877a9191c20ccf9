//! A ready list of leavers with what real lists have: a typo, a guest, a protected account, one person twice.

use std::io::{self, Write};

use crate::population::{Person, Population};

/// The columns: how Microsoft knows the person, how Google does.
const HEADER: &str = "subject,workspace\n";

/// The whole list as text.
pub(crate) fn csv(people: &Population) -> String {
    let mut text = Vec::with_capacity(people.len() as usize * 64);
    let written = write(people, &mut text);
    debug_assert!(written.is_ok(), "memory takes every write");
    String::from_utf8_lossy(&text).into_owned()
}

/// Writes the list line by line: every regular person and, among the first of them, the special cases.
pub(crate) fn write(people: &Population, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(HEADER.as_bytes())?;
    for (n, person) in people.regulars().enumerate() {
        row(people, out, person)?;
        match n {
            // In the directory under `p0042`; the list has the address everybody uses.
            0 => line(
                out,
                &people.alias(Person::ALIAS_ONLY).unwrap_or_default(),
                people.google_alias(Person::ALIAS_ONLY).as_deref(),
            )?,
            1 => row(people, out, Person::GUEST)?,
            2 => {
                let typo = misspelt(&people.upn(person));
                let google = people.google_email(person).map(|email| misspelt(&email));
                line(out, &typo, google.as_deref())?;
            }
            3 => row(people, out, Person::APOSTROPHE)?,
            // Somebody of the list again, by the other address.
            4 => line(
                out,
                &people.alias(Person::regular(0)).unwrap_or_default(),
                people.google_alias(Person::regular(0)).as_deref(),
            )?,
            5 => row(people, out, Person::BREAK_GLASS)?,
            _ => {}
        }
    }
    Ok(())
}

fn row(people: &Population, out: &mut dyn Write, person: Person) -> io::Result<()> {
    line(
        out,
        &people.upn(person),
        people.google_email(person).as_deref(),
    )
}

fn line(out: &mut dyn Write, microsoft: &str, google: Option<&str>) -> io::Result<()> {
    writeln!(out, "{microsoft},{}", google.unwrap_or_default())
}

/// Two letters of the name change places.
fn misspelt(address: &str) -> String {
    let mut letters: Vec<char> = address.chars().collect();
    let at = letters
        .iter()
        .position(|letter| *letter == '@')
        .unwrap_or(0);
    let swap = (1..at)
        .rev()
        .find(|n| letters[*n] != letters[n - 1] && letters[n - 1] != '.' && letters[*n] != '.');
    if let Some(n) = swap {
        letters.swap(n, n - 1);
    }
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_every_special_case_once() {
        let people = Population::new(42, 214);
        let text = csv(&people);
        let rows: Vec<&str> = text.lines().skip(1).collect();
        assert!(rows.len() >= 205, "{}", rows.len());
        let known = |address: &str| people.by_upn(address).or_else(|| people.by_alias(address));
        let subjects: Vec<&str> = rows
            .iter()
            .map(|row| row.split(',').next().unwrap())
            .collect();
        let typos: Vec<_> = subjects.iter().filter(|row| known(row).is_none()).collect();
        assert_eq!(typos.len(), 1, "{typos:?}");
        let found: Vec<Person> = subjects.iter().filter_map(|row| known(row)).collect();
        let times = |person| found.iter().filter(|known| **known == person).count();
        assert_eq!(times(Person::GUEST), 1);
        assert_eq!(times(Person::BREAK_GLASS), 1);
        assert_eq!(times(Person::ALIAS_ONLY), 1);
        assert_eq!(times(Person::regular(0)), 2);
        assert!(rows.iter().all(|row| row.split(',').count() == 2));
    }
}
