//! What may be asked of a backend: the same bounds and the same words for each.

use bitcoin::Script;

use crate::{
    error::DevnetError,
    limits::{FUND_AMOUNT_SAT_MAX, MINE_BLOCKS_MAX},
};

/// Checks how many blocks are to be mined.
pub fn check_blocks(blocks: u32) -> Result<(), DevnetError> {
    if !(1..=MINE_BLOCKS_MAX).contains(&blocks) {
        return Err(DevnetError::Invalid(format!("blocks must be 1 to {MINE_BLOCKS_MAX}, not {blocks}")));
    }
    Ok(())
}

/// Checks how much a script is to be paid.
pub fn check_amount(script: &Script, amount_sat: u64) -> Result<(), DevnetError> {
    let least_sat = script.minimal_non_dust().to_sat();
    if !(least_sat..=FUND_AMOUNT_SAT_MAX).contains(&amount_sat) {
        let message = format!("amount_sat must be {least_sat} to {FUND_AMOUNT_SAT_MAX}, not {amount_sat}");
        return Err(DevnetError::Invalid(message));
    }
    Ok(())
}

/// Checks the height of a block that is to be invalidated.
pub fn check_not_genesis(height: u32) -> Result<(), DevnetError> {
    if height == 0 {
        return Err(DevnetError::Invalid("the genesis block can't be invalidated: take a later one".to_owned()));
    }
    Ok(())
}
