//! The wallet in bitcoind that gets the rewards and funds others: made, or loaded, when it is first needed.

use bitcoin::{Address, Amount, Network, Txid, address::NetworkUnchecked};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    bitcoind::rpc::{Rpc, RpcError, code},
    error::DevnetError,
    limits::{FUND_FEE_SAT_PER_VB, FUND_TX_VSIZE_MIN},
};

/// Its name.
const NAME: &str = "boltgram-devnet";

/// What `getbalances` tells, in part.
#[derive(Deserialize)]
struct Balances {
    mine: Mine,
}

#[derive(Deserialize)]
struct Mine {
    /// In BTC.
    trusted: f64,
}

/// A new address, so that no two rewards are alike.
pub fn new_address(rpc: &Rpc) -> Result<Address, DevnetError> {
    let address: Address<NetworkUnchecked> = call(rpc, "getnewaddress", json!(["", "bech32"]))?;
    address.require_network(Network::Regtest).map_err(|error| DevnetError::Backend(error.to_string()))
}

/// Pays an address.
pub fn pay(rpc: &Rpc, address: &Address, amount_sat: u64) -> Result<Txid, DevnetError> {
    let amount = Amount::from_sat(amount_sat).to_string_in(bitcoin::Denomination::Bitcoin);
    let params = json!({ "address": address.to_string(), "amount": amount, "fee_rate": FUND_FEE_SAT_PER_VB });
    match call(rpc, "sendtoaddress", params) {
        Err(RpcError::Refused { code: code::INSUFFICIENT_FUNDS, .. }) => {
            let balances: Balances = call(rpc, "getbalances", json!([]))?;
            let available_sat = Amount::from_btc(balances.mine.trusted).map_or(0, Amount::to_sat);
            let needed_sat = amount_sat + FUND_TX_VSIZE_MIN * FUND_FEE_SAT_PER_VB;
            Err(DevnetError::InsufficientFunds { needed_sat, available_sat })
        }
        result => Ok(result?),
    }
}

/// Makes a call to the wallet, which may have to be loaded or made first: after a start of bitcoind it isn't loaded.
fn call<T: DeserializeOwned>(rpc: &Rpc, method: &str, params: Value) -> Result<T, RpcError> {
    let asked = rpc.call_wallet(NAME, method, params.clone());
    match asked {
        Err(RpcError::Refused { code: code::WALLET_NOT_FOUND, .. }) => {
            open(rpc)?;
            rpc.call_wallet(NAME, method, params)
        }
        Err(RpcError::Refused { code: code::METHOD_NOT_FOUND, .. }) => Err(RpcError::Refused {
            code: code::METHOD_NOT_FOUND,
            message: "it has no wallet: start it without -disablewallet, or mine to an address".to_owned(),
        }),
        result => result,
    }
}

fn open(rpc: &Rpc) -> Result<(), RpcError> {
    let is_done = |result: &Result<Value, RpcError>| {
        result.is_ok() || matches!(result, Err(error) if error.code() == Some(code::WALLET_ALREADY_LOADED))
    };
    let loaded = rpc.call::<Value>("loadwallet", json!([NAME]));
    if is_done(&loaded) {
        return Ok(());
    }
    match loaded {
        Err(RpcError::Refused { code: code::WALLET_NOT_FOUND, .. }) => {
            rpc.call::<Value>("createwallet", json!([NAME])).map(|_| ())
        }
        result => result.map(|_| ()),
    }
}
