//! Making blocks: coinbase, commitments, time and proof of work, by the rules of regtest.
//!
//! Which transactions go into a block is decided by the mempool.

use std::sync::Arc;

use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut,
    Witness, absolute,
    block::{Header, Version},
    hashes::Hash,
    script::{Builder, PushBytesBuf},
    transaction,
};

use crate::limits::{SUBSIDY_HALVING_BLOCKS, SUBSIDY_SAT};

/// The proof of work of every regtest block (`CRegTestParams`: no retargeting).
const BITS: u32 = 0x207f_ffff;

/// What stands before a witness commitment: `OP_RETURN`, a push of 36 bytes, and BIP 141's header.
const COMMITMENT_HEADER: [u8; 4] = [0xaa, 0x21, 0xa9, 0xed];

/// The coinbase's witness reserved value (BIP 141); any 32 bytes.
const WITNESS_RESERVED: [u8; 32] = [0; 32];

/// What a block is made from.
pub struct Template<'a> {
    /// The tip that it goes upon.
    pub previous: BlockHash,
    /// Its height.
    pub height: u32,
    /// Its time: Unix time in seconds, above the median time past.
    pub time: u32,
    /// Makes its coinbase unlike any other, in a stale block of the same height too.
    pub extra_nonce: u64,
    /// Who gets subsidy and fees.
    pub reward_script: &'a ScriptBuf,
    /// The fees of its transactions.
    pub fees_sat: u64,
    /// Its transactions, parents before children.
    pub txs: Vec<Arc<Transaction>>,
}

/// The subsidy at a height, in satoshi.
pub fn subsidy_sat(height: u32) -> u64 {
    SUBSIDY_SAT.checked_shr(height / SUBSIDY_HALVING_BLOCKS).unwrap_or(0)
}

/// Makes the block, proof of work done.
pub fn build(template: Template<'_>) -> Block {
    let txdata: Vec<Transaction> =
        std::iter::once(coinbase(&template)).chain(template.txs.iter().map(|tx| (**tx).clone())).collect();
    let header = Header {
        version: Version::NO_SOFT_FORK_SIGNALLING,
        prev_blockhash: template.previous,
        merkle_root: TxMerkleNode::all_zeros(),
        time: template.time,
        bits: CompactTarget::from_consensus(BITS),
        nonce: 0,
    };
    let mut block = Block { header, txdata };
    commit_to_witnesses(&mut block);
    if let Some(root) = block.compute_merkle_root() {
        block.header.merkle_root = root;
    }
    grind(&mut block.header);
    block
}

/// A coinbase without its witness commitment.
fn coinbase(template: &Template<'_>) -> Transaction {
    let script_sig = Builder::new()
        .push_int(i64::from(template.height))
        .push_slice(template.extra_nonce.to_le_bytes())
        .into_script();
    let value = Amount::from_sat(subsidy_sat(template.height) + template.fees_sat);
    Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig,
            sequence: Sequence::MAX,
            witness: Witness::from_slice(&[WITNESS_RESERVED]),
        }],
        output: vec![TxOut { value, script_pubkey: template.reward_script.clone() }],
    }
}

/// Adds the witness commitment to the coinbase (BIP 141), as bitcoind does for every block.
fn commit_to_witnesses(block: &mut Block) {
    let Some(root) = block.witness_root() else { return };
    let commitment = Block::compute_witness_commitment(&root, &WITNESS_RESERVED);
    let mut data = PushBytesBuf::from(COMMITMENT_HEADER);
    // 36 bytes are far below what a push holds.
    if data.extend_from_slice(commitment.as_byte_array()).is_err() {
        return;
    }
    if let Some(coinbase) = block.txdata.first_mut() {
        coinbase.output.push(TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new_op_return(data) });
    }
}

/// Finds a nonce; on regtest every second one is good.
fn grind(header: &mut Header) {
    let target = header.target();
    while header.validate_pow(target).is_err() {
        header.nonce = header.nonce.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::{Network, constants::genesis_block};

    fn template(script: &ScriptBuf, height: u32) -> Template<'_> {
        let previous = genesis_block(Network::Regtest).block_hash();
        Template {
            previous,
            height,
            time: 1_700_000_000,
            extra_nonce: 7,
            reward_script: script,
            fees_sat: 5,
            txs: vec![],
        }
    }

    #[test]
    fn the_subsidy_halves_every_150_blocks_and_ends() {
        for (height, sat) in [(1, 5_000_000_000), (149, 5_000_000_000), (150, 2_500_000_000), (300, 1_250_000_000)] {
            assert_eq!(subsidy_sat(height), sat, "{height}");
        }
        assert_eq!(subsidy_sat(150 * 32), 1);
        assert_eq!(subsidy_sat(150 * 33), 0);
        assert_eq!(subsidy_sat(u32::MAX), 0);
    }

    #[test]
    fn a_block_passes_the_checks_of_rust_bitcoin_at_every_encoding_of_its_height() {
        let script = ScriptBuf::new_p2a();
        for height in [1, 2, 16, 17, 127, 128, 255, 256, 32_767, 32_768, 100_000] {
            let block = build(template(&script, height));
            let target = genesis_block(Network::Regtest).header.target();
            block.header.validate_pow(target).unwrap();
            assert!(block.check_merkle_root() && block.check_witness_commitment(), "{height}");
            let coinbase = block.coinbase().unwrap();
            assert!((2..=100).contains(&coinbase.input[0].script_sig.len()), "{height}");
            let expected = Builder::new().push_int(i64::from(height)).into_script();
            assert!(coinbase.input[0].script_sig.as_bytes().starts_with(expected.as_bytes()), "{height}");
            assert_eq!(coinbase.output[0].value.to_sat(), subsidy_sat(height) + 5);
            assert_eq!(coinbase.output[1].script_pubkey.len(), 38);
        }
    }
}
