//! What is left of unsynced work when the power comes back.

use crate::chance::Chance;
use crate::disk::{Change, File, Platter};

/// A write is torn between sectors, never within one.
const SECTOR: usize = 512;

pub(crate) fn image(platter: &Platter, chance: &mut Chance) -> Vec<(String, Vec<u8>)> {
    let mut names = platter.names.clone();
    for (name, history) in &platter.name_history {
        match history[chance.below(history.len() as u64) as usize] {
            Some(file) => names.insert(name.clone(), file),
            None => names.remove(name),
        };
    }
    names
        .into_iter()
        .map(|(name, file)| (name, content(&platter.files[file], chance)))
        .collect()
}

/// The durable content with any of the changes since.
fn content(file: &File, chance: &mut Chance) -> Vec<u8> {
    let mut content = file.durable.clone();
    // Often nothing or all of it arrives; else each change has its own fate.
    let fate = chance.below(6);
    let mut kept = Vec::new();
    for change in &file.unsynced {
        match fate {
            0 => {}
            1 => kept.push(change.clone()),
            _ => match chance.below(3) {
                0 => {}
                1 => kept.push(change.clone()),
                _ => tear(change, chance, &mut kept),
            },
        }
    }
    if fate > 2 {
        chance.shuffle(&mut kept);
    }
    for change in kept {
        change.apply(&mut content);
    }
    if content.len() < file.seen.len() && chance.one_in(3) {
        // The length arrived and the bytes did not.
        let more = file.seen.len() - content.len();
        content.resize(content.len() + 1 + chance.below(more as u64) as usize, 0);
    }
    content
}

/// Some sectors of a write.
fn tear(change: &Change, chance: &mut Chance, kept: &mut Vec<Change>) {
    let Change::Write { at, bytes } = change else {
        return;
    };
    let mut from = 0;
    while from < bytes.len() {
        let sector_end = (at + from) / SECTOR * SECTOR + SECTOR;
        let to = (sector_end - at).min(bytes.len());
        if chance.one_in(2) {
            kept.push(Change::Write {
                at: at + from,
                bytes: bytes[from..to].to_vec(),
            });
        }
        from = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::DiskOptions;

    fn file() -> (Platter, usize) {
        let mut platter = Platter::default();
        let file = platter
            .open("a", true, DiskOptions::default())
            .expect("there is power")
            .expect("it is made");
        platter.files[file].change(Change::Write {
            at: 0,
            bytes: vec![1; 2048],
        });
        platter.sync(file, false, true, DiskOptions::default());
        (platter, file)
    }

    #[test]
    fn what_was_synced_is_there() {
        let (platter, _) = file();
        for seed in 0..100 {
            let image = image(&platter, &mut Chance::new(seed));
            assert_eq!(image, [("a".to_owned(), vec![1; 2048])], "seed {seed}");
        }
    }

    #[test]
    fn what_was_not_synced_is_whole_absent_or_torn_at_a_sector() {
        let (mut platter, file) = file();
        platter.files[file].change(Change::Write {
            at: 100,
            bytes: vec![2; 1900],
        });
        let (mut whole, mut absent, mut torn) = (0, 0, 0);
        for seed in 0..300 {
            let image = image(&platter, &mut Chance::new(seed));
            let content = &image[0].1;
            let written: Vec<bool> = content.iter().map(|byte| *byte == 2).collect();
            assert!(!written[99] && !written[2000], "beside it nothing changed");
            for (first, last) in [(100, 511), (512, 1023), (1024, 1535), (1536, 1999)] {
                let of_one_piece = written[first..=last].iter().all(|w| *w == written[first]);
                assert!(of_one_piece, "seed {seed}");
            }
            match written[100..2000]
                .iter()
                .filter(|written| **written)
                .count()
            {
                0 => absent += 1,
                1900 => whole += 1,
                _ => torn += 1,
            }
        }
        assert!(whole > 30 && absent > 30 && torn > 30);
    }

    #[test]
    fn a_name_is_as_old_or_as_new_as_it_likes_until_its_folder_is_synced() {
        let (mut platter, _) = file();
        platter.rename("a", None);
        let there = |platter: &Platter| {
            let count = |seed| usize::from(!image(platter, &mut Chance::new(seed)).is_empty());
            (0..100).map(count).sum::<usize>()
        };
        assert!((20..80).contains(&there(&platter)));
        platter.sync_names();
        assert_eq!(there(&platter), 0);
    }
}
