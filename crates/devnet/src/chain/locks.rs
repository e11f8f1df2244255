//! When a transaction may go into the next block: nLockTime (BIP 113) and relative locks (BIP 68), which
//! libbitcoinconsensus leaves to its caller.

use bitcoin::{Sequence, Transaction, absolute};

/// The lowest bits of a sequence number: the relative lock itself (BIP 68).
const SEQUENCE_VALUE_MASK: u32 = 0xffff;

/// A relative time lock counts units of 512 seconds (BIP 68).
const SEQUENCE_TIME_SHIFT: u32 = 9;

/// The next block, as lock rules see it.
#[derive(Clone, Copy, Debug)]
pub struct NextBlock {
    /// Its height.
    pub height: u32,
    /// The median time past of the block before it: Unix time in seconds.
    pub median_time: u32,
}

/// Whether a transaction's nLockTime has passed (`IsFinalTx` in Core).
pub fn is_final(tx: &Transaction, next: NextBlock) -> bool {
    let passed = match tx.lock_time {
        absolute::LockTime::Blocks(height) => height.to_consensus_u32() < next.height,
        absolute::LockTime::Seconds(time) => time.to_consensus_u32() < next.median_time,
    };
    // A lock of 0 is a height below every block's.
    passed || tx.input.iter().all(|input| input.sequence == Sequence::MAX)
}

/// Whether every relative lock has passed (`CalculateSequenceLocks` in Core). `coin_heights` are those of the spent
/// outputs, the next block's for one in the mempool; `median_time_at` gives the median time past at a height.
pub fn are_relative_locks_passed(
    tx: &Transaction,
    next: NextBlock,
    coin_heights: &[u32],
    median_time_at: impl Fn(u32) -> u32,
) -> bool {
    // The version is compared as an unsigned number.
    if (tx.version.0 as u32) < 2 {
        return true;
    }
    tx.input.iter().zip(coin_heights).all(|(input, coin_height)| {
        if !input.sequence.is_relative_lock_time() {
            return true;
        }
        let value = input.sequence.to_consensus_u32() & SEQUENCE_VALUE_MASK;
        if input.sequence.is_time_locked() {
            let coin_time = u64::from(median_time_at(coin_height.saturating_sub(1)));
            coin_time + (u64::from(value) << SEQUENCE_TIME_SHIFT) <= u64::from(next.median_time)
        } else {
            u64::from(*coin_height) + u64::from(value) <= u64::from(next.height)
        }
    })
}
