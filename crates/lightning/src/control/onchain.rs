//! Payments out of the on-chain wallet.

use std::str::FromStr as _;

use boltgram_core::{Failure, Reason};
use ldk_node::{
    NodeError,
    bitcoin::{Address, FeeRate, Network, address::NetworkUnchecked},
};

use super::field;
use crate::{errors::failure, limits::FEE_RATE_SAT_PER_VB_MAX, node::Node};

/// How much to send on chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnchainAmount {
    /// So many satoshi; the fee comes on top.
    Sat(u64),
    /// All that can be spent, less the fee.
    All,
}

impl Node {
    /// Sends from the on-chain wallet and answers the transaction's id, 64 hex digits. The reserve that closes channels
    /// is never touched. The fee rate is in sat/vB; absent: the Esplora server's estimate. When this returns, the
    /// transaction is made, stored and handed on; that the network has taken it is seen at the next sync. Blocks on
    /// the disk.
    pub fn send_onchain(
        &self,
        address: &str,
        amount: OnchainAmount,
        fee_rate_sat_per_vb: Option<u64>,
    ) -> Result<String, Failure> {
        self.inner.check_running()?;
        let address = read_address(address, self.inner.config.network)?;
        let fee_rate = fee_rate_sat_per_vb.map(read_fee_rate).transpose()?;
        let spendable_sat = self.balances().spendable_onchain_sat;
        check_amount(&address, amount, spendable_sat)?;
        let sent = self.inner.call_running(|ldk| match amount {
            OnchainAmount::Sat(sat) => ldk.onchain_payment().send_to_address(&address, sat, fee_rate),
            OnchainAmount::All => ldk.onchain_payment().send_all_to_address(&address, true, fee_rate),
        })?;
        sent.map(|txid| txid.to_string()).map_err(|error| match error {
            NodeError::InsufficientFunds => too_little(amount, spendable_sat),
            NodeError::OnchainTxCreationFailed => Failure::new(
                Reason::InsufficientFunds,
                format!("{spendable_sat} sat can be spent, and after the fee too little is left to send"),
            )
            .with("available_sat", spendable_sat),
            error => failure("send on chain", error),
        })
    }
}

fn read_address(text: &str, network: Network) -> Result<Address, Failure> {
    let invalid = |problem: &str| Failure::new(Reason::InvalidAddress, problem);
    let address = Address::<NetworkUnchecked>::from_str(text.trim())
        .map_err(|_| invalid("this is no on-chain address: look for a missing or wrong character"))?;
    address.require_network(network).map_err(|_| {
        let message = format!("the address is of another network: this node is on {network}");
        invalid(&message).with("network", network)
    })
}

fn read_fee_rate(sat_per_vb: u64) -> Result<FeeRate, Failure> {
    let in_bounds = (1..=FEE_RATE_SAT_PER_VB_MAX).contains(&sat_per_vb);
    in_bounds.then(|| FeeRate::from_sat_per_vb(sat_per_vb)).flatten().ok_or_else(|| {
        let message =
            format!("the fee rate is not valid: give 1 to {FEE_RATE_SAT_PER_VB_MAX} satoshi per virtual byte");
        field("fee_rate_sat_per_vb", message)
    })
}

fn check_amount(address: &Address, amount: OnchainAmount, spendable_sat: u64) -> Result<(), Failure> {
    match amount {
        OnchainAmount::All if spendable_sat == 0 => Err(too_little(amount, 0)),
        OnchainAmount::All => Ok(()),
        OnchainAmount::Sat(sat) => {
            let dust_sat = address.script_pubkey().minimal_non_dust().to_sat();
            if sat < dust_sat {
                let message = format!("the amount is too small: nodes pass on {dust_sat} sat and more to this address");
                return Err(field("amount_sat", message).with("amount_sat_min", dust_sat));
            }
            // The fee is known later: ldk-node looks again.
            if sat > spendable_sat { Err(too_little(amount, spendable_sat)) } else { Ok(()) }
        }
    }
}

fn too_little(amount: OnchainAmount, spendable_sat: u64) -> Failure {
    let what =
        "the reserve that closes channels safely is kept back, and what is unconfirmed from others doesn't count";
    let (message, needed) = match amount {
        OnchainAmount::Sat(sat) => {
            let message = format!(
                "{sat} sat and a fee are to be sent, and {spendable_sat} sat can be spent ({what}): send less, or `all`"
            );
            (message, Some(sat))
        }
        OnchainAmount::All => (format!("{spendable_sat} sat can be spent, too little to send ({what})"), None),
    };
    let failure = Failure::new(Reason::InsufficientFunds, message).with("available_sat", spendable_sat);
    match needed {
        Some(sat) => failure.with("needed_sat", sat),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGTEST: &str = "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x";

    #[test]
    fn an_address_is_read_for_its_own_network_alone() {
        assert!(read_address(REGTEST, Network::Regtest).is_ok());
        assert!(read_address(&format!(" {REGTEST}\n"), Network::Regtest).is_ok());
        assert_eq!(read_address(REGTEST, Network::Bitcoin).unwrap_err().metadata["network"], "bitcoin");
        for text in ["", "bcrt1q", &REGTEST.replace('g', "h"), "é", &"b".repeat(100_000)] {
            assert_eq!(read_address(text, Network::Regtest).unwrap_err().reason, Reason::InvalidAddress);
        }
    }

    #[test]
    fn a_fee_rate_that_can_only_be_a_slip_is_refused() {
        assert_eq!(read_fee_rate(7).unwrap(), FeeRate::from_sat_per_vb(7).unwrap());
        for rate in [0, FEE_RATE_SAT_PER_VB_MAX + 1, u64::MAX] {
            assert_eq!(read_fee_rate(rate).unwrap_err().metadata["field"], "fee_rate_sat_per_vb");
        }
    }

    #[test]
    fn dust_and_more_than_there_is_are_told_apart() {
        let address = read_address(REGTEST, Network::Regtest).unwrap();
        let reason = |amount, spendable| check_amount(&address, amount, spendable).err().map(|failure| failure.reason);
        assert_eq!(reason(OnchainAmount::Sat(0), 1_000), Some(Reason::InvalidField));
        assert_eq!(reason(OnchainAmount::Sat(293), 1_000), Some(Reason::InvalidField));
        assert_eq!(reason(OnchainAmount::Sat(294), 1_000), None);
        assert_eq!(reason(OnchainAmount::Sat(u64::MAX), 1_000), Some(Reason::InsufficientFunds));
        assert_eq!(reason(OnchainAmount::All, 0), Some(Reason::InsufficientFunds));
        assert_eq!(reason(OnchainAmount::All, 1), None);
    }
}
