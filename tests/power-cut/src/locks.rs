//! The locks of one process: those of a database file and those of its shared index.

use std::collections::HashMap;

/// Who asks: a connection's open file.
pub(crate) type Holder = u64;

/// The locks of a database file, in the levels of SQLite: 0 none, 1 shared, 2 reserved, 3 pending, 4 exclusive.
#[derive(Debug, Default)]
pub(crate) struct FileLocks(HashMap<Holder, u8>);

pub(crate) const SHARED: u8 = 1;
pub(crate) const RESERVED: u8 = 2;
pub(crate) const PENDING: u8 = 3;
pub(crate) const EXCLUSIVE: u8 = 4;

impl FileLocks {
    /// Raises a lock to `level`. Answers whether it is granted.
    pub(crate) fn lock(&mut self, holder: Holder, level: u8) -> bool {
        let mine = self.0.get(&holder).copied().unwrap_or(0);
        if mine >= level {
            return true;
        }
        let others = self.0.iter().filter(|(other, _)| **other != holder);
        let strongest = others.map(|(_, level)| *level).max().unwrap_or(0);
        let (granted, now) = match level {
            SHARED => (strongest < PENDING, SHARED),
            RESERVED => (strongest < RESERVED, RESERVED),
            _ if strongest >= RESERVED => (false, mine),
            // Nobody new may read while it waits for the readers to end.
            _ if strongest == SHARED => (false, PENDING),
            _ => (true, EXCLUSIVE),
        };
        if granted || now == PENDING {
            self.0.insert(holder, now);
        }
        granted
    }

    /// Lowers a lock to `level`, 0 or 1.
    pub(crate) fn unlock(&mut self, holder: Holder, level: u8) {
        if level == 0 {
            self.0.remove(&holder);
        } else if self.0.get(&holder).is_some_and(|mine| *mine > level) {
            self.0.insert(holder, level);
        }
    }

    /// Whether anybody holds more than a shared lock.
    pub(crate) fn is_reserved(&self) -> bool {
        self.0.values().any(|level| *level >= RESERVED)
    }
}

/// The locks of the shared index: eight places, each shared by some or held by one.
#[derive(Debug, Default)]
pub(crate) struct IndexLocks([Place; 8]);

#[derive(Debug, Default)]
struct Place {
    shared: Vec<Holder>,
    exclusive: Option<Holder>,
}

impl IndexLocks {
    pub(crate) fn lock_shared(&mut self, holder: Holder, first: usize, n: usize) -> bool {
        let places = &mut self.0[first..first + n];
        if places
            .iter()
            .any(|place| place.exclusive.is_some_and(|other| other != holder))
        {
            return false;
        }
        for place in places {
            if !place.shared.contains(&holder) {
                place.shared.push(holder);
            }
        }
        true
    }

    pub(crate) fn lock_exclusive(&mut self, holder: Holder, first: usize, n: usize) -> bool {
        let places = &mut self.0[first..first + n];
        let taken = |place: &Place| {
            place.exclusive.is_some_and(|other| other != holder)
                || place.shared.iter().any(|other| *other != holder)
        };
        if places.iter().any(taken) {
            return false;
        }
        for place in places {
            place.exclusive = Some(holder);
        }
        true
    }

    pub(crate) fn unlock(&mut self, holder: Holder, first: usize, n: usize) {
        for place in &mut self.0[first..first + n] {
            place.shared.retain(|other| *other != holder);
            if place.exclusive == Some(holder) {
                place.exclusive = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writes_alone() {
        let mut locks = FileLocks::default();
        assert!(locks.lock(1, SHARED) && locks.lock(2, SHARED));
        assert!(locks.lock(1, RESERVED) && !locks.lock(2, RESERVED));
        assert!(!locks.lock(1, EXCLUSIVE), "somebody reads");
        assert!(!locks.lock(3, SHARED), "somebody waits to write");
        locks.unlock(2, 0);
        assert!(locks.lock(1, EXCLUSIVE) && locks.is_reserved());
        locks.unlock(1, 0);
        assert!(locks.lock(3, EXCLUSIVE));
    }

    #[test]
    fn a_place_of_the_index_is_shared_or_held() {
        let mut locks = IndexLocks::default();
        assert!(locks.lock_shared(1, 3, 1) && locks.lock_shared(2, 3, 1));
        assert!(!locks.lock_exclusive(1, 3, 1));
        locks.unlock(2, 3, 1);
        assert!(locks.lock_exclusive(1, 3, 2) && !locks.lock_shared(2, 4, 1));
        locks.unlock(1, 0, 8);
        assert!(locks.lock_exclusive(2, 0, 8));
    }
}
