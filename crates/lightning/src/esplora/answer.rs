//! What an Esplora server's answers say, as far as the probe reads them: bytes in, a word on them out, no I/O.
//!
//! The fuzz target `esplora` compiles this file by itself, so it names nothing else of this crate. It is as strict as
//! the client in ldk-node, so that an answer which passes here doesn't fail there.

use std::collections::HashMap;

use bitcoin::{BlockHash, Network, constants::genesis_block};

/// Why a node can't start with its Esplora server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Unfit {
    /// It doesn't answer as it should; it may later.
    Away(String),
    /// It serves another network: no wait helps until someone changes something.
    OtherNetwork(BlockHash),
}

/// Fee rates in sat/vB by confirmation target in blocks.
pub(crate) type FeeEstimates = HashMap<u16, f64>;

/// A block's hash, as `/blocks/tip/hash` and `/block-height/:height` answer it: 64 hex digits.
pub(crate) fn block_hash(body: &[u8]) -> Result<BlockHash, Unfit> {
    std::str::from_utf8(body).ok().and_then(|text| text.parse().ok()).ok_or_else(not_esplora)
}

/// What `/fee-estimates` answers: a JSON object such as `{"1": 87.9, "144": 1.0}`.
pub(crate) fn fee_estimates(body: &[u8]) -> Result<FeeEstimates, Unfit> {
    serde_json::from_slice(body).map_err(|_| not_esplora())
}

/// Whether a node of this network can start with a server whose first block and fee estimates these are.
pub(crate) fn check(network: Network, genesis: BlockHash, fees: &FeeEstimates) -> Result<(), Unfit> {
    if genesis != genesis_block(network).block_hash() {
        return Err(Unfit::OtherNetwork(genesis));
    }
    // ldk-node does without them on other networks alone.
    if fees.is_empty() && network == Network::Bitcoin {
        return Err(Unfit::Away("it has no fee estimates yet".into()));
    }
    Ok(())
}

fn not_esplora() -> Unfit {
    Unfit::Away("its answer is not of the Esplora API".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_answer_of_esplora_is_told_without_its_words() {
        let hash = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206";
        assert_eq!(block_hash(hash.as_bytes()).unwrap().to_string(), hash);
        for body in ["", "<html>", &hash[1..], &format!("{hash}\n"), &format!("{hash}00"), &hash.replace('f', "é")] {
            assert_eq!(block_hash(body.as_bytes()), Err(not_esplora()), "{body}");
        }
        assert_eq!(fee_estimates(br#"{"1": 87.9, "144": 1}"#).unwrap()[&144], 1.0);
        for body in ["", "[]", "null", "{\"x\": 1}", "{\"65536\": 1}", "{\"1\": \"1\"}", "{\"1\": 1e999}", "{} {}"] {
            assert_eq!(fee_estimates(body.as_bytes()), Err(not_esplora()), "{body}");
        }
    }

    #[test]
    fn only_bitcoin_itself_needs_fee_estimates() {
        let genesis = |network| genesis_block(network).block_hash();
        let (none, some) = (FeeEstimates::new(), FeeEstimates::from([(1, 2.5)]));
        assert_eq!(check(Network::Regtest, genesis(Network::Regtest), &none), Ok(()));
        assert_eq!(check(Network::Bitcoin, genesis(Network::Bitcoin), &some), Ok(()));
        assert!(matches!(check(Network::Bitcoin, genesis(Network::Bitcoin), &none), Err(Unfit::Away(_))));
        let other = genesis(Network::Signet);
        assert_eq!(check(Network::Regtest, other, &some), Err(Unfit::OtherNetwork(other)));
    }
}
