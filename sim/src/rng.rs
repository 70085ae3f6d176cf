//! Randomness as a tree: each part of a world draws from a generator of its own, named by its place, so that one more cluster
//! moves nothing in the others.

/// A small generator (SplitMix64). Its numbers are part of what a seed means, so it is our own and never changes.
#[derive(Clone, Debug)]
pub struct Rng {
    seed: u64,
    state: u64,
}

impl Rng {
    /// The root of a tree.
    pub fn new(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// A generator of a part; depends on the seed and the label, not on what was drawn here.
    pub fn child(&self, label: &str) -> Self {
        // FNV-1a spreads labels; the mix behind it does the rest.
        let hash = label.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self::new(mix(self.seed ^ hash))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number in `low..high`; `low` when the range is empty.
    pub fn range(&mut self, low: u64, high: u64) -> u64 {
        if high <= low { low } else { low + self.draw() % (high - low) }
    }

    /// True in `n` of a thousand draws.
    pub fn per_mille(&mut self, n: u64) -> bool {
        self.draw() % 1_000 < n
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_does_not_move_when_its_neighbour_draws() {
        let root = Rng::new(7);
        let (mut a, mut b) = (root.child("east"), root.child("west"));
        let first = a.draw();
        b.draw();
        assert_eq!(Rng::new(7).child("east").draw(), first);
        assert_ne!(first, Rng::new(8).child("east").draw());
    }
}
