//! The branch that leads from a transaction to its block's merkle root.

use bitcoin::{Txid, hashes::Hash};

/// The hashes that the one at `position` is paired with, the deepest first.
pub fn branch(txids: &[Txid], position: usize) -> Vec<Txid> {
    let (mut level, mut at) = (txids.to_vec(), position);
    let mut branch = Vec::new();
    while level.len() > 1 {
        // An odd one is paired with itself.
        let sibling = level.get(at ^ 1).or(level.get(at));
        branch.extend(sibling.copied());
        level = level.chunks(2).map(parent).collect();
        at /= 2;
    }
    branch
}

fn parent(pair: &[Txid]) -> Txid {
    let bytes: Vec<u8> = pair.iter().chain(pair.last()).take(2).flat_map(|txid| txid.to_byte_array()).collect();
    Txid::hash(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::merkle_tree::calculate_root;

    #[test]
    fn every_branch_leads_to_the_root_that_rust_bitcoin_computes() {
        for count in 1..=17u8 {
            let txids: Vec<Txid> = (0..count).map(|byte| Txid::from_byte_array([byte; 32])).collect();
            let root = calculate_root(txids.iter().copied()).unwrap();
            for (position, txid) in txids.iter().enumerate() {
                let mut at = position;
                let folded = branch(&txids, position).into_iter().fold(*txid, |hash, sibling| {
                    let pair = if at % 2 == 0 { [hash, sibling] } else { [sibling, hash] };
                    at /= 2;
                    parent(&pair)
                });
                assert_eq!(folded, root, "{position} of {count}");
            }
        }
    }
}
