//! The devnet's own wallet: one P2WPKH key made from a fixed text, which gets the mining rewards.
//!
//! The key is no secret: anybody can work it out, and on a private regtest there is nothing to gain.

use bitcoin::{
    Address, Amount, CompressedPublicKey, EcdsaSighashType, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn,
    TxOut, Witness, absolute,
    constants::COINBASE_MATURITY,
    ecdsa,
    hashes::{Hash, sha256},
    key::Secp256k1,
    secp256k1::{All, Message, SecretKey},
    sighash::SighashCache,
    transaction,
    transaction::{InputWeightPrediction, predict_weight},
};

use crate::{
    backend::ScriptOutput,
    error::DevnetError,
    index::script_hash,
    limits::{FUND_FEE_SAT_PER_VB, FUND_INPUTS_MAX},
};

/// What the key is made from.
const SEED: &str = "boltgram devnet wallet";

/// The wallet: it holds no state but its key, coins come from the index.
#[derive(Debug)]
pub struct Wallet {
    secp: Secp256k1<All>,
    secret: SecretKey,
    public: CompressedPublicKey,
    /// The script that it is paid by.
    pub script: ScriptBuf,
    /// The hash that the script is indexed by.
    pub script_hash: sha256::Hash,
}

/// A coin that the wallet may spend.
#[derive(Clone, Copy, Debug)]
struct Coin {
    outpoint: OutPoint,
    value_sat: u64,
    is_confirmed: bool,
}

impl Wallet {
    /// The wallet.
    pub fn new() -> Result<Self, DevnetError> {
        let secp = Secp256k1::new();
        let seed = sha256::Hash::hash(SEED.as_bytes());
        let secret = SecretKey::from_slice(seed.as_byte_array())
            .map_err(|error| DevnetError::Backend(format!("the wallet's key: {error}")))?;
        let public = CompressedPublicKey(secret.public_key(&secp));
        let script = Address::p2wpkh(&public, Network::Regtest).script_pubkey();
        let script_hash = script_hash(&script);
        Ok(Self { secp, secret, public, script, script_hash })
    }

    /// Makes and signs a transaction that pays `amount_sat` to a script, from the wallet's `outputs` that are unspent
    /// and can be spent in a block at `height`: confirmed ones first.
    pub fn pay(
        &self,
        script: ScriptBuf,
        amount_sat: u64,
        outputs: &[ScriptOutput],
        is_coinbase: impl Fn(&OutPoint) -> bool,
        height: u32,
    ) -> Result<Transaction, DevnetError> {
        let is_mature = |output: &&ScriptOutput| {
            let depth = output.confirmation.map(|block| height.saturating_sub(block.height));
            output.spend.is_none() && (!is_coinbase(&output.outpoint) || depth >= Some(COINBASE_MATURITY))
        };
        let mut coins: Vec<Coin> = outputs
            .iter()
            .filter(is_mature)
            .map(|output| Coin {
                outpoint: output.outpoint,
                value_sat: output.value_sat,
                is_confirmed: output.confirmation.is_some(),
            })
            .collect();
        coins.sort_by_key(|coin| std::cmp::Reverse((coin.is_confirmed, coin.value_sat)));
        coins.truncate(FUND_INPUTS_MAX);
        let (used, fee_sat, in_sat) = select(&coins, amount_sat, &[script.len(), self.script.len()])?;
        let mut output = vec![TxOut { value: Amount::from_sat(amount_sat), script_pubkey: script }];
        let change = Amount::from_sat(in_sat - amount_sat - fee_sat);
        if change >= self.script.minimal_non_dust() {
            output.push(TxOut { value: change, script_pubkey: self.script.clone() });
        }
        let input = used.iter().map(|coin| TxIn {
            previous_output: coin.outpoint,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        });
        let tx = Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: input.collect(),
            output,
        };
        self.sign(tx, used)
    }

    fn sign(&self, tx: Transaction, spent: &[Coin]) -> Result<Transaction, DevnetError> {
        let mut cache = SighashCache::new(tx);
        for (index, coin) in spent.iter().enumerate() {
            let value = Amount::from_sat(coin.value_sat);
            let hash = cache
                .p2wpkh_signature_hash(index, &self.script, value, EcdsaSighashType::All)
                .map_err(|error| DevnetError::Backend(format!("the wallet's signature: {error}")))?;
            let message = Message::from_digest(hash.to_byte_array());
            let signature = ecdsa::Signature::sighash_all(self.secp.sign_ecdsa_low_r(&message, &self.secret));
            if let Some(witness) = cache.witness_mut(index) {
                *witness = Witness::p2wpkh(&signature, &self.public.0);
            }
        }
        Ok(cache.into_transaction())
    }
}

/// The first coins that pay an amount with its fee; the fee; and what the coins hold.
fn select<'a>(
    coins: &'a [Coin],
    amount_sat: u64,
    output_script_lens: &[usize],
) -> Result<(&'a [Coin], u64, u64), DevnetError> {
    let (mut in_sat, mut needed_sat) = (0, amount_sat);
    for (index, coin) in coins.iter().enumerate() {
        in_sat += coin.value_sat;
        let inputs = std::iter::repeat_n(InputWeightPrediction::P2WPKH_MAX, index + 1);
        let weight = predict_weight(inputs, output_script_lens.iter().copied());
        let fee_sat = weight.to_vbytes_ceil() * FUND_FEE_SAT_PER_VB;
        needed_sat = amount_sat + fee_sat;
        if in_sat >= needed_sat {
            return Ok((&coins[..=index], fee_sat, in_sat));
        }
    }
    Err(DevnetError::InsufficientFunds { needed_sat, available_sat: in_sat })
}
