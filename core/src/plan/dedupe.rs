//! Who is in the order already: a keyed 128-bit hash for each person and the providers they go to, ~20 bytes each.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use sha2::{Digest, Sha256};

/// A table doubles when it is full. Of these the last holds twice what the first does, so they double one after
/// the other, and the memory of all grows as steadily as the people do. They are so many that a table which has been left
/// is soon another's: what is freed in large pieces is not used again for a while.
const SHARDS: usize = 1024;

/// The people of an order.
pub(super) struct Seen {
    key: [u8; 32],
    shards: Vec<Shard>,
    sets: Vec<Vec<u16>>,
    people: u64,
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

type Shard = HashMap<Fingerprint, SetId, BuildHasherDefault<Taken>>;

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
        let shard = self.shard(print);
        let new = !shard.contains_key(&print);
        if new {
            shard.insert(print, NOWHERE);
            self.people += u64::from(role == Met::ToBeCalled);
        }
        (print, new)
    }

    /// Takes note that a person goes to a provider. `true`: for the first time.
    pub(super) fn send(&mut self, person: Fingerprint, provider: u16) -> bool {
        let before = self.shard(person).get(&person).copied();
        let before = before.unwrap_or(NOWHERE);
        let set = &self.sets[usize::from(before)];
        if set.contains(&provider) {
            return false;
        }
        let mut larger = set.clone();
        larger.push(provider);
        larger.sort_unstable();
        if let Some(after) = self.intern(larger) {
            self.shard(person).insert(person, after);
            return true;
        }
        // More kinds of sets than an honest order has: an entry of its own.
        let place = [&person.0[..], &provider.to_be_bytes()].concat();
        let place = self.fingerprint(b"place", place);
        self.shard(place).insert(place, NOWHERE).is_none()
    }

    /// Takes note that the account of this own identifier is called at a provider. `true`: for the first time.
    pub(super) fn send_own(&mut self, folded: &str, provider: u16) -> bool {
        let print = self.fingerprint(b"own id", folded);
        self.send(print, provider)
    }

    fn intern(&mut self, set: Vec<u16>) -> Option<SetId> {
        let known = self.sets.iter().position(|known| *known == set);
        let place = match known {
            Some(place) => place,
            None if self.sets.len() < MAX_SETS => {
                self.sets.push(set);
                self.sets.len() - 1
            }
            None => return None,
        };
        SetId::try_from(place).ok()
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

    fn shard(&mut self, print: Fingerprint) -> &mut Shard {
        let share = f32::from(u16::from_le_bytes([print.0[14], print.0[15]])) / 65_536.0;
        let place = (SHARDS as f32 * (1.0 + share).log2()) as usize;
        &mut self.shards[place.min(SHARDS - 1)]
    }
}

/// A person, or an own identifier, under this order's key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 16]);

impl Hash for Fingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        state.write_u64(u64::from_le_bytes(first));
    }
}

/// A fingerprint is as random as a hash can be: it is taken as it is.
#[derive(Default)]
struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a fingerprint writes one number");
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
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
    fn any_number_of_provider_sets_is_told_apart() {
        let mut seen = Seen::new();
        for n in 0..4_000_u16 {
            let (person, _) = seen.meet(&n.to_string(), Met::ToBeCalled);
            let subset = || (0..12).filter(|bit| n >> bit & 1 == 1);
            assert!(subset().all(|provider| seen.send(person, provider)));
            assert!(!subset().any(|provider| seen.send(person, provider)));
        }
    }
}
