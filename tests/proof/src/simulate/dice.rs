//! Chance from a seed: the only chance a simulation has.

/// SplitMix64. Whoever rolls first gets the first number, so the order of events is part of what a seed decides.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// Neighbouring seeds share nothing.
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Self(seed);
        dice.0 = dice.roll();
        dice
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `n` - 1; 0 where there is nothing to choose from.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.roll() % n }
    }

    /// `from` to `to`, both included.
    pub(super) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from) + 1)
    }

    /// True `n` times in a thousand.
    pub(super) fn permille(&mut self, n: u32) -> bool {
        n > 0 && self.below(1000) < u64::from(n)
    }

    pub(super) fn percent(&mut self, n: u32) -> bool {
        self.permille(n * 10)
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}
