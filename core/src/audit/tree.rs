//! The Merkle tree of RFC 6962 §2.1 over the hashes of the entries.

use sha2::{Digest, Sha256};

use super::entry::Hash;

/// The right edge of a growing tree: all that is needed to add leaves and to know the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// The roots of the complete subtrees, largest first: one for each bit set in `size`.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds one entry by its hash.
    pub fn push(&mut self, entry: &Hash) {
        let mut node: Hash = Sha256::new()
            .chain_update([0])
            .chain_update(entry)
            .finalize()
            .into();
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("one peak for each bit set");
            node = parent(&left, &node);
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root of the tree so far.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => Sha256::digest([]).into(),
            Some(last) => peaks.fold(*last, |right, left| parent(left, &right)),
        }
    }

    /// As bytes, to be kept beside a checkpoint.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        for peak in &self.peaks {
            bytes.extend_from_slice(peak);
        }
        bytes
    }

    /// From [`to_bytes`](Self::to_bytes); `None` when the bytes are not that.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (size, peaks) = bytes.split_at_checked(8)?;
        let size = u64::from_be_bytes(size.try_into().ok()?);
        if peaks.len() != size.count_ones() as usize * 32 {
            return None;
        }
        let peaks = peaks
            .chunks_exact(32)
            .map(|peak| peak.try_into().ok())
            .collect::<Option<_>>()?;
        Some(Self { size, peaks })
    }
}

fn parent(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recursive definition, word for word.
    fn root_by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => Sha256::new()
                .chain_update([0])
                .chain_update(leaf)
                .finalize()
                .into(),
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                parent(
                    &root_by_definition(&leaves[..split]),
                    &root_by_definition(&leaves[split..]),
                )
            }
        }
    }

    #[test]
    fn the_edge_gives_the_root_of_the_definition() {
        let mut frontier = Frontier::default();
        let mut leaves = Vec::new();
        for n in 0u8..70 {
            assert_eq!(frontier.root(), root_by_definition(&leaves), "{n} leaves");
            let kept = Frontier::from_bytes(&frontier.to_bytes());
            assert_eq!(kept.as_ref(), Some(&frontier));
            let leaf = [n; 32];
            leaves.push(leaf);
            frontier.push(&leaf);
        }
    }

    #[test]
    fn bytes_of_another_shape_are_no_edge() {
        let mut frontier = Frontier::default();
        frontier.push(&[1; 32]);
        let mut bytes = frontier.to_bytes();
        bytes.push(0);
        assert_eq!(Frontier::from_bytes(&bytes), None);
        assert_eq!(Frontier::from_bytes(&[]), None);
    }
}
