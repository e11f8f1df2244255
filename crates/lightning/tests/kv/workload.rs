//! A workload that is known by numbers alone, so that a killed process and whoever looks at its files agree on it.

use super::{
    history::Change,
    support::{Key, keys},
};

/// A generator of numbers that is the same everywhere (xorshift64*).
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next one below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16;
        usize::try_from(high % bound as u64).unwrap()
    }
}

/// The n-th operation: writes small and large, removals and lazy ones, on keys that are synced and that aren't. Values
/// are all different, and tell which operation wrote them.
pub fn operation(n: u32) -> (Key, Change) {
    let mut numbers = Numbers::new(u64::from(n) + 1);
    let keys = keys();
    let key = keys[numbers.below(keys.len())].clone();
    let change = match numbers.below(10) {
        0 => Change::Remove,
        1 | 2 => Change::RemoveLazily,
        _ => {
            let bytes = if numbers.below(4) == 0 { numbers.below(20_000) } else { numbers.below(300) };
            Change::Write(n.to_be_bytes().into_iter().cycle().take(bytes.max(4)).collect())
        }
    };
    (key, change)
}
