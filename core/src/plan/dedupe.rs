//! Who is in the order already: a keyed 128-bit hash for each person and the providers they go to, ~20 bytes each.

use sha2::{Digest, Sha256};

/// A shard that is full moves to a larger place. Of these the last holds twice what the first does, so they move one
/// after the other, and the memory of all grows as steadily as the people do. They are so many that a place which has
/// been left is soon another's: what is freed in large pieces is not used again for a while.
const SHARDS: usize = 1024;

/// The people of an order.
pub(super) struct Seen {
    key: [u8; 32],
    shards: Vec<Shard>,
    sets: Vec<Vec<u16>>,
    people: u64,
    /// Where a shard sorts those who came last.
    aside: Vec<Entry>,
}

/// What a person was met as. One row may name somebody as protected and the next as somebody to be called: they are
/// kept apart, so that nobody goes uncounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// Some provider will be called.
    ToBeCalled,
    /// On the protected list.
    Protected,
    /// No provider of the order may know them.
    Nowhere,
}

/// An index into the sets of providers met so far: there are few, however many people there are.
type SetId = u16;

const NOWHERE: SetId = 0;
const MAX_SETS: usize = 1024;

impl Seen {
    /// Nobody yet. The key is fresh, so that nobody can craft two people with one fingerprint.
    pub(super) fn new() -> Self {
        let mut key = [0; 32];
        // Without randomness the key is fixed and a collision still needs 2^64 tries.
        let _ = getrandom::fill(&mut key);
        Self {
            key,
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            sets: vec![Vec::new()],
            people: 0,
            aside: Vec::new(),
        }
    }

    /// How many people were met who are to be called.
    pub(super) fn people(&self) -> u64 {
        self.people
    }

    /// Takes note of a person. `true`: not met before in this role.
    pub(super) fn meet(&mut self, folded: &str, role: Met) -> (Fingerprint, bool) {
        let domain: &[u8] = match role {
            Met::ToBeCalled => b"person",
            Met::Protected => b"protected",
            Met::Nowhere => b"nowhere",
        };
        let print = self.fingerprint(domain, folded);
        let (_, new) = self.entry(print);
        self.people += u64::from(new && role == Met::ToBeCalled);
        (print, new)
    }

    /// Takes note that a person goes to a provider. `true`: for the first time.
    pub(super) fn send(&mut self, person: Fingerprint, provider: u16) -> bool {
        let before = self.entry(person).0.set();
        let set = &self.sets[usize::from(before)];
        if set.contains(&provider) {
            return false;
        }
        if self.sets.len() < MAX_SETS {
            let mut larger = set.clone();
            larger.push(provider);
            larger.sort_unstable();
            let after = self.intern(larger);
            self.entry(person).0.set = after.to_le_bytes();
            return true;
        }
        // More kinds of sets than an honest order has: an entry of its own, for each from now on.
        let place = [&person.0[..], &provider.to_be_bytes()].concat();
        let place = self.fingerprint(b"place", place);
        self.entry(place).1
    }

    /// Takes note that the account of this own identifier is called at a provider. `true`: for the first time.
    pub(super) fn send_own(&mut self, folded: &str, provider: u16) -> bool {
        let print = self.fingerprint(b"own id", folded);
        self.send(print, provider)
    }

    /// The number of a set, which there is room for.
    fn intern(&mut self, set: Vec<u16>) -> SetId {
        let known = self.sets.iter().position(|known| *known == set);
        let place = known.unwrap_or_else(|| {
            self.sets.push(set);
            self.sets.len() - 1
        });
        place as SetId
    }

    fn fingerprint(&self, domain: &[u8], text: impl AsRef<[u8]>) -> Fingerprint {
        let digest = Sha256::new()
            .chain_update(self.key)
            .chain_update(domain)
            .chain_update([0])
            .chain_update(text)
            .finalize();
        let mut print = [0; 16];
        print.copy_from_slice(&digest[..16]);
        Fingerprint(print)
    }

    /// The entry under a fingerprint. `true`: it is new, and goes to no provider yet.
    fn entry(&mut self, print: Fingerprint) -> (&mut Entry, bool) {
        let share = f32::from(u16::from_le_bytes([print.0[14], print.0[15]])) / 65_536.0;
        let place = (SHARDS as f32 * (1.0 + share).log2()) as usize;
        self.shards[place.min(SHARDS - 1)].entry(print, &mut self.aside)
    }
}

/// Some of the people: first the sorted ones, then those who came since. A hash table, with room to spare and marks of
/// what is free, takes half as much again.
#[derive(Default)]
struct Shard {
    entries: Vec<Entry>,
    sorted: usize,
}

/// In bytes, so that nothing lies between two of them.
#[derive(Clone, Copy)]
struct Entry {
    print: Fingerprint,
    set: [u8; 2],
}

impl Entry {
    fn set(&self) -> SetId {
        SetId::from_le_bytes(self.set)
    }
}

impl Shard {
    fn entry(&mut self, print: Fingerprint, aside: &mut Vec<Entry>) -> (&mut Entry, bool) {
        let (sorted, since) = self.entries.split_at(self.sorted);
        let found = sorted.binary_search_by_key(&print.number(), |entry| entry.print.number());
        let found = found.ok().or_else(|| {
            let place = since.iter().position(|entry| entry.print == print)?;
            Some(self.sorted + place)
        });
        let place = found.unwrap_or_else(|| {
            self.make_room(aside);
            let set = NOWHERE.to_le_bytes();
            self.entries.push(Entry { print, set });
            self.entries.len() - 1
        });
        (&mut self.entries[place], found.is_none())
    }

    /// Sorts everybody when there is no room for one more, and makes some for an eighth more.
    fn make_room(&mut self, aside: &mut Vec<Entry>) {
        if self.entries.len() < self.entries.capacity() {
            return;
        }
        aside.clear();
        aside.extend_from_slice(&self.entries[self.sorted..]);
        aside.sort_unstable_by_key(|entry| entry.print.number());
        // From the back, where the last ones have left their places.
        let (mut left, mut to) = (self.sorted, self.entries.len());
        while let Some(last) = aside.last() {
            to -= 1;
            let is_larger = |entry: &Entry| entry.print.number() > last.print.number();
            if self.entries[..left].last().is_some_and(is_larger) {
                left -= 1;
                self.entries[to] = self.entries[left];
            } else {
                self.entries[to] = *last;
                aside.pop();
            }
        }
        self.sorted = self.entries.len();
        self.entries.reserve_exact(self.sorted / 8 + 4);
    }
}

/// A person, or an own identifier, under this order's key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 16]);

impl Fingerprint {
    fn number(self) -> u128 {
        u128::from_le_bytes(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_counted_once_and_sent_to_each_provider_once() {
        let mut seen = Seen::new();
        let (ada, new) = seen.meet("ada@contoso.com", Met::ToBeCalled);
        assert!(new);
        assert!(!seen.meet("ada@contoso.com", Met::ToBeCalled).1);
        assert!(seen.send(ada, 0));
        assert!(seen.send(ada, 3));
        assert!(!seen.send(ada, 0));
        assert!(seen.send_own("ada@contoso.com", 0));
        assert!(!seen.send_own("ada@contoso.com", 0));
        assert!(!seen.meet("ada@contoso.com", Met::ToBeCalled).1);
        assert!(seen.meet("bob@contoso.com", Met::ToBeCalled).1);
        assert_eq!(seen.people(), 2);
    }

    #[test]
    fn nobody_goes_uncounted_who_was_met_in_another_role_before() {
        let mut seen = Seen::new();
        for role in [Met::Protected, Met::Nowhere] {
            assert!(seen.meet("ada@contoso.com", role).1);
        }
        assert_eq!(seen.people(), 0);
        assert!(seen.meet("ada@contoso.com", Met::ToBeCalled).1);
        assert_eq!(seen.people(), 1);
    }

    #[test]
    fn a_shard_knows_everybody_it_was_given_and_nobody_else() {
        let (mut shard, mut aside) = (Shard::default(), Vec::new());
        let print = |n: u32| {
            // Some differ in their first bytes only, some in their last.
            let mut print = [0; 16];
            print[(n % 3) as usize * 6..][..4]
                .copy_from_slice(&n.wrapping_mul(0x9e37_79b1).to_be_bytes());
            print[15] ^= 1 << (n % 3);
            Fingerprint(print)
        };
        let set = |n: u32| (n as u16 ^ 0x5555).to_be_bytes();
        for n in 0..3_000 {
            let (entry, new) = shard.entry(print(n), &mut aside);
            assert!(new, "{n}");
            entry.set = set(n);
            for known in [n, n / 2, n / 3] {
                let (entry, new) = shard.entry(print(known), &mut aside);
                assert!(!new && entry.set == set(known), "{known} of {n}");
            }
        }
        let numbers: Vec<_> = shard
            .entries
            .iter()
            .map(|entry| entry.print.number())
            .collect();
        assert!(numbers[..shard.sorted].is_sorted());
        assert!((0..3_000).all(|n| shard.entry(print(n), &mut aside).0.set == set(n)));
        assert_eq!(shard.entries.len(), 3_000);
    }

    #[test]
    fn a_person_takes_twenty_bytes() {
        assert_eq!(size_of::<Entry>(), 18);
        let mut seen = Seen::new();
        for n in 0..200_000_u32 {
            let (person, _) = seen.meet(&n.to_string(), Met::ToBeCalled);
            assert!(seen.send(person, 0));
        }
        let room: usize = seen
            .shards
            .iter()
            .map(|shard| shard.entries.capacity())
            .sum();
        assert!(room * size_of::<Entry>() < 200_000 * 20, "{room}");
    }

    #[test]
    fn any_number_of_provider_sets_is_told_apart() {
        let mut seen = Seen::new();
        for n in 0..4_000_u16 {
            let (person, _) = seen.meet(&n.to_string(), Met::ToBeCalled);
            // In another order each time, as rows of one person for different providers may come.
            let turned = move |bit: u16| (bit * 7 + n) % 12;
            let subset = || (0..12).map(turned).filter(|bit| n >> bit & 1 == 1);
            assert!(subset().all(|provider| seen.send(person, provider)));
            assert!(!subset().any(|provider| seen.send(person, provider)));
        }
    }

    #[test]
    fn nobody_is_sent_twice_once_the_sets_are_used_up() {
        let mut seen = Seen::new();
        let (first, _) = seen.meet("first", Met::ToBeCalled);
        assert!([0, 3, 5].map(|provider| seen.send(first, provider)) == [true; 3]);
        let mut provider = 100;
        while seen.sets.len() < MAX_SETS {
            let (other, _) = seen.meet(&provider.to_string(), Met::ToBeCalled);
            assert!(seen.send(other, provider));
            provider += 1;
        }
        let (ada, _) = seen.meet("ada", Met::ToBeCalled);
        // After each of them she goes to providers that somebody else went to, or nobody.
        assert!([0, 5, 3].map(|provider| seen.send(ada, provider)) == [true; 3]);
        assert!([0, 5, 3].map(|provider| seen.send(ada, provider)) == [false; 3]);
    }
}
