//! Chance that repeats: every draw is a pure function of the seed and a number.

/// 64 well mixed bits of a seed, a purpose and a number (the finaliser of SplitMix64).
pub(crate) const fn bits(seed: u64, purpose: u64, number: u64) -> u64 {
    let mut z = seed
        ^ purpose.wrapping_mul(0xA076_1D64_78BD_642F)
        ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number in `[0, 1)`.
pub(crate) fn fraction(seed: u64, purpose: u64, number: u64) -> f64 {
    (bits(seed, purpose, number) >> 11) as f64 / (1_u64 << 53) as f64
}

const SPREAD: u32 = 0x9E37_79B1;
const GATHER: u32 = inverse(SPREAD);

/// The multiplicative inverse of an odd number modulo 2³² (Newton's iteration).
const fn inverse(odd: u32) -> u32 {
    let mut x = odd;
    let mut round = 0;
    while round < 5 {
        x = x.wrapping_mul(2_u32.wrapping_sub(odd.wrapping_mul(x)));
        round += 1;
    }
    x
}

/// Spreads a small number over 32 bits, reversibly.
pub(crate) const fn scramble(seed: u64, number: u32) -> u32 {
    number.wrapping_mul(SPREAD) ^ (seed ^ (seed >> 32)) as u32
}

/// Undoes [`scramble`].
pub(crate) const fn unscramble(seed: u64, scrambled: u32) -> u32 {
    (scrambled ^ (seed ^ (seed >> 32)) as u32).wrapping_mul(GATHER)
}

/// A version 4 GUID that carries `number` in its first group and hashed bits in the others.
pub(crate) fn guid(seed: u64, purpose: u64, number: u32) -> String {
    let rest = bits(seed, purpose, u64::from(number));
    let tail = bits(seed, purpose ^ 0x5A5A, u64::from(number));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        scramble(seed ^ purpose, number),
        rest as u16,
        (rest >> 16) & 0xfff,
        0x8000 | ((rest >> 28) & 0x3fff),
        tail & 0xffff_ffff_ffff
    )
}

/// The number a GUID of this seed and purpose carries; the caller compares the whole GUID.
pub(crate) fn number_of_guid(seed: u64, purpose: u64, guid: &str) -> Option<u32> {
    if guid.len() != 36 {
        return None;
    }
    let first = u32::from_str_radix(guid.get(..8)?, 16).ok()?;
    Some(unscramble(seed ^ purpose, first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_gives_its_number_back() {
        for number in [0, 1, 17, 4096, 999_999, u32::MAX] {
            let text = guid(7, 1, number);
            assert_eq!(text.len(), 36);
            assert_eq!(number_of_guid(7, 1, &text), Some(number));
        }
    }

    #[test]
    fn fractions_spread_over_the_unit_interval() {
        let low = (0..10_000).filter(|n| fraction(3, 9, *n) < 0.1).count();
        assert!((800..1200).contains(&low), "{low}");
    }
}
