//! Sets of byte ranges: what of a message was delivered, what is in flight, what is missing.

use std::ops::Range;

/// A set of byte ranges: sorted, none empty, none touching another.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ranges(Vec<Range<u32>>);

impl Ranges {
    /// All bytes of a message of this length.
    pub fn whole(total_bytes: u32) -> Self {
        let mut ranges = Self::default();
        ranges.insert(0..total_bytes);
        ranges
    }

    /// Adds a range.
    pub fn insert(&mut self, added: Range<u32>) {
        if added.is_empty() {
            return;
        }
        let touches = |range: &Range<u32>| range.start <= added.end && added.start <= range.end;
        let start = self.0.iter().filter(|range| touches(range)).map(|range| range.start).min();
        let end = self.0.iter().filter(|range| touches(range)).map(|range| range.end).max();
        let merged = start.unwrap_or(added.start).min(added.start)..end.unwrap_or(added.end).max(added.end);
        self.0.retain(|range| !touches(range));
        let at = self.0.partition_point(|range| range.start < merged.start);
        self.0.insert(at, merged);
    }

    /// Takes a range out.
    pub fn remove(&mut self, removed: &Range<u32>) {
        let cut = |range: &Range<u32>| {
            let before = range.start..range.end.min(removed.start);
            let after = range.start.max(removed.end)..range.end;
            [before, after].into_iter().filter(|left| !left.is_empty())
        };
        if !removed.is_empty() {
            self.0 = self.0.iter().flat_map(cut).collect();
        }
    }

    /// What is in both sets.
    pub fn intersection(&self, other: &Self) -> Self {
        let clipped =
            |range: Range<u32>| other.iter().map(move |other| range.start.max(other.start)..range.end.min(other.end));
        self.iter().flat_map(clipped).collect()
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        self.0.iter().cloned()
    }

    /// The first range.
    pub fn first(&self) -> Option<Range<u32>> {
        self.0.first().cloned()
    }

    /// How many bytes they hold together.
    pub fn bytes(&self) -> u32 {
        self.0.iter().map(ExactSizeIterator::len).sum::<usize>() as u32
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all bytes of a message of this length are there.
    pub fn cover(&self, total_bytes: u32) -> bool {
        matches!(self.0.as_slice(), [only] if only.start == 0 && only.end >= total_bytes)
    }
}

impl FromIterator<Range<u32>> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range<u32>>>(ranges: I) -> Self {
        let mut set = Self::default();
        ranges.into_iter().for_each(|range| set.insert(range));
        set
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "sets of one range")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOTAL: u32 = 64;

    /// What of the first bytes is in the set, one by one.
    fn bits(ranges: &Ranges) -> Vec<bool> {
        (0..TOTAL).map(|byte| ranges.iter().any(|range| range.contains(&byte))).collect()
    }

    #[test]
    fn a_whole_message_is_covered_and_an_empty_set_covers_nothing() {
        assert!(Ranges::whole(5).cover(5) && !Ranges::whole(5).cover(6));
        assert!(!Ranges::default().cover(1) && Ranges::whole(0).is_empty());
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_bytes(steps in prop::collection::vec((any::<bool>(), 0..TOTAL, 0..TOTAL), 0..20)) {
            let (mut ranges, mut model) = (Ranges::default(), vec![false; TOTAL as usize]);
            for (insert, a, b) in steps {
                let range = a.min(b)..a.max(b);
                range.clone().for_each(|byte| model[byte as usize] = insert);
                if insert { ranges.insert(range) } else { ranges.remove(&range) }
                prop_assert_eq!(bits(&ranges), model.clone());
                prop_assert_eq!(ranges.bytes() as usize, model.iter().filter(|bit| **bit).count());
                let half = Ranges::from_iter(std::iter::once(TOTAL / 4..TOTAL / 2));
                model.iter_mut().enumerate().for_each(|(byte, bit)| *bit &= half.first().unwrap().contains(&(byte as u32)));
                prop_assert_eq!(bits(&ranges.intersection(&half)), model.clone());
                prop_assert_eq!(half.intersection(&ranges), ranges.intersection(&half));
                model = bits(&ranges);
                let sorted: Vec<_> = ranges.iter().collect();
                prop_assert!(sorted.windows(2).all(|pair| pair[0].end < pair[1].start), "{:?}", sorted);
            }
        }
    }
}
