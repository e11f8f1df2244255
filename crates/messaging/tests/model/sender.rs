//! A sender: its store, its outbox, and the node that it sees, which is the network's.

use std::{
    path::Path,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak},
};

use bitcoin::{
    Network as Chain,
    hashes::{Hash as _, sha256d},
    secp256k1::{Message as Digest, Secp256k1, SecretKey, SignOnly},
};
use boltgram_core::{
    ChainHash, Failure, IdSource, MessageId, NodeId, Reason,
    limits::RECORD_TYPE_DEFAULT,
    message::{Message, PaymentHash},
    outbox::lane::Road,
    sign::Signature,
    transport::{Keysend, SendError, Transport},
};
use boltgram_messaging::outbox::{Ended, Outbox};
use boltgram_store::{Store, outgoing::Outcome};

use crate::network::{Event, Meanwhile, Network, Told, Trick};

/// What unwinds a call in which the process dies.
pub struct Crash;

pub fn crash() -> ! {
    std::panic::resume_unwind(Box::new(Crash))
}

/// The messages that were told to have ended since somebody last looked.
pub type Endings = Vec<(MessageId, Result<Message, Failure>)>;

/// One node's view of the network.
pub struct Port {
    pub index: usize,
    pub network: Arc<Mutex<Network>>,
    pub endings: Mutex<Endings>,
    pub outbox: Mutex<Weak<Outbox>>,
    pub store: Mutex<Weak<Store>>,
}

pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The nodes' keys: of two senders and the receiver. They are made once, since a context for signing takes long to make.
struct Keys {
    secp: Secp256k1<SignOnly>,
    of: [(SecretKey, NodeId); 3],
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let secp = Secp256k1::signing_only();
    let of = [11, 12, 77].map(|byte| {
        let key = SecretKey::from_slice(&[byte; 32]).unwrap();
        (key, key.public_key(&secp).into())
    });
    Keys { secp, of }
});

/// The id of a node.
pub fn id(index: usize) -> NodeId {
    KEYS.of[index].1
}

impl Port {
    pub fn new(index: usize, network: &Arc<Mutex<Network>>) -> Arc<Self> {
        Arc::new(Self {
            index,
            network: network.clone(),
            endings: Mutex::default(),
            outbox: Mutex::default(),
            store: Mutex::default(),
        })
    }

    pub fn id(&self) -> NodeId {
        id(self.index)
    }

    fn outbox(&self) -> Arc<Outbox> {
        locked(&self.outbox).upgrade().unwrap()
    }

    pub fn ended(&self, ended: Vec<Ended>) {
        let mut network = locked(&self.network);
        for (id, end) in &ended {
            let sent = network.ledger.of(*id);
            match end {
                Err(failure) if !matches!(failure.reason, Reason::Cancelled | Reason::Expired) => {
                    sent.has_failed = true
                }
                _ => sent.is_stopped = true,
            }
        }
        locked(&self.endings).extend(ended);
    }

    /// Ends what has waited for too long.
    pub fn expire(&self, outbox: &Outbox) {
        let now_ms = locked(&self.network).now_ms;
        let ended = outbox.expire(now_ms).unwrap();
        let mut network = locked(&self.network);
        let expired = network.ledger.0.iter_mut().filter(|sent| sent.draft.sender == self.index);
        expired.for_each(|sent| sent.is_stopped |= sent.expires_at_ms <= now_ms && !sent.has_failed);
        drop(network);
        self.ended(ended);
    }

    /// Hands an event to the outbox.
    pub fn tell(&self, outbox: &Outbox, event: &Event) {
        let (now_ms, payment_hash) = {
            let mut network = locked(&self.network);
            if event.end.is_ok() {
                // What was given up goes on: the recipient has a part of it.
                let parts = network.payments[event.payment].onion.parts.clone();
                parts.iter().for_each(|part| network.ledger.of(part.id).has_failed = false);
            }
            (network.now_ms, network.payments[event.payment].hash())
        };
        let outcome = match event.end {
            Ok(fee_msat) => Outcome::Successful { fee_msat },
            Err(reason) => Outcome::Failed(Failure::new(reason, "the network says so")),
        };
        let (_, ended) = outbox.settle(payment_hash, outcome, now_ms).unwrap();
        locked(&self.network).was_told(event);
        self.ended(ended);
    }

    pub fn cancel(&self, outbox: &Outbox, which: u8) {
        let (id, now_ms) = {
            let network = locked(&self.network);
            let own: Vec<_> = network.ledger.0.iter().filter(|sent| sent.draft.sender == self.index).collect();
            let Some(sent) = own.get(usize::from(which) % own.len().max(1)) else { return };
            (sent.id, network.now_ms)
        };
        match outbox.cancel(id, now_ms) {
            Ok((message, ended)) => {
                assert_eq!(message.id, id);
                locked(&self.network).ledger.of(id).is_stopped = true;
                self.ended(ended.into_iter().collect());
            }
            Err(failure) => {
                assert_eq!(failure.reason, Reason::NotCancellable);
                assert!(!failure.message.contains("Sending"), "{failure}");
            }
        }
    }

    /// Starts payments until there is none to start, or one.
    pub fn carry(&self, outbox: &Outbox, all: bool) {
        let (recipient, now_ms) = {
            let network = locked(&self.network);
            (network.receiver, network.now_ms)
        };
        for round in 0.. {
            assert!(round < 1_000, "the outbox goes on and on");
            let carried = outbox.carry(recipient, now_ms).unwrap();
            self.ended(carried.ended);
            if !all || !carried.may_go_on {
                return;
            }
        }
    }

    /// What other threads do while a payment is signed.
    fn meanwhile(&self) {
        let Some(meanwhile) = locked(&self.network).meanwhile[self.index].pop_front() else { return };
        let outbox = self.outbox();
        match meanwhile {
            Meanwhile::Crash => {
                drop(outbox);
                crash()
            }
            Meanwhile::Cancel(which) => self.cancel(&outbox, which),
            Meanwhile::Expire => self.expire(&outbox),
            Meanwhile::Carry => self.carry(&outbox, true),
            Meanwhile::Event => {
                let event = locked(&self.network).events[self.index].pop();
                event.iter().for_each(|event| self.tell(&outbox, event));
            }
        }
    }

    /// Takes note of payments that the outbox has cut anew: it stores that before it sends anything.
    pub fn look_for_cuts(&self) {
        let store = locked(&self.store).upgrade().unwrap();
        let mut network = locked(&self.network);
        for index in 0..network.payments.len() {
            let payment = &network.payments[index];
            if payment.sender == self.index && payment.told == Told::Nothing && payment.unclear > 0 {
                let stored = store.open_payment(payment.hash()).unwrap().unwrap();
                if stored != payment.onion.keysend {
                    network.was_cut_anew(index, stored);
                }
            }
        }
    }

    fn trick(&self) -> Option<Trick> {
        locked(&self.network).tricks[self.index].pop_front()
    }
}

impl Transport for Port {
    fn node_id(&self) -> NodeId {
        self.id()
    }

    fn chain_hash(&self) -> ChainHash {
        Chain::Regtest.into()
    }

    fn sign(&self, text: &[u8]) -> Result<Signature, Failure> {
        self.meanwhile();
        let digest = sha256d::Hash::hash(&[b"Lightning Signed Message:", text].concat());
        let message = Digest::from_digest(digest.to_byte_array());
        let (recovery_id, compact) =
            KEYS.secp.sign_ecdsa_recoverable(&message, &KEYS.of[self.index].0).serialize_compact();
        let mut bytes = [0; 65];
        bytes[0] = 31 + recovery_id.to_i32() as u8;
        bytes[1..].copy_from_slice(&compact);
        Ok(Signature(bytes))
    }

    fn road(&self, _: NodeId) -> Road {
        let weather = locked(&self.network).weather[self.index];
        Road {
            room_bytes: weather.room_bytes,
            slots: if weather.is_online { weather.slots } else { 0 },
            is_direct: true,
        }
    }

    fn check(&self, _: NodeId, amount_msat: u64) -> Result<(), SendError> {
        locked(&self.network).check(self.index, amount_msat)
    }

    fn send(&self, keysend: &Keysend) -> Result<(), SendError> {
        let trick = self.trick();
        self.look_for_cuts();
        let payment = locked(&self.network).started(self.index, keysend);
        self.meanwhile();
        let mut network = locked(&self.network);
        let is_possible = network.check(self.index, keysend.amount_msat);
        let is_blocked = is_possible.is_err();
        let failed = match (trick, is_possible) {
            (Some(Trick::NotSent(reason)), _) => Some(SendError::NotSent(Failure::new(reason, "the test says so"))),
            (Some(Trick::Busy), _) => Some(SendError::Busy),
            (Some(Trick::Crash { .. } | Trick::Unclear { has_left: false }), Err(_)) | (_, Ok(())) => None,
            (_, Err(error)) => Some(error),
        };
        if let Some(error) = failed {
            network.payments[payment].told = Told::Failed;
            return Err(error);
        }
        let stays =
            is_blocked || matches!(trick, Some(Trick::Crash { has_left: false } | Trick::Unclear { has_left: false }));
        if !stays {
            network.leave(payment);
        }
        let mut event = None;
        if let Some(Trick::Ends { is_claimed, .. }) = trick {
            let htlc = network.htlcs.len() - 1;
            if is_claimed {
                network.arrive(htlc, 500)
            } else {
                network.fail(htlc, Reason::NoRoute)
            }
            event = network.events[self.index].pop();
        }
        drop(network);
        event.iter().for_each(|event| self.tell(&self.outbox(), event));
        match trick {
            Some(Trick::Crash { .. }) => crash(),
            Some(Trick::Unclear { .. } | Trick::Ends { is_unclear: true, .. }) => Err(SendError::Unclear("so".into())),
            _ => Ok(()),
        }
    }

    fn resend(&self, keysend: &Keysend) -> Result<(), SendError> {
        let trick = self.trick();
        match trick {
            Some(Trick::Crash { has_left: false }) => crash(),
            Some(Trick::Unclear { .. } | Trick::NotSent(_) | Trick::Busy) => {
                let mut network = locked(&self.network);
                let payment = network.find(keysend).unwrap();
                network.payments[payment].unclear += 1;
                return Err(SendError::Unclear("so".into()));
            }
            _ => {}
        }
        self.look_for_cuts();
        let outcome = locked(&self.network).resend(self.index, keysend);
        if let Some(Trick::Crash { has_left: true }) = trick {
            crash();
        }
        outcome
    }

    fn may_still_be_claimed(&self, payment_hash: PaymentHash) -> bool {
        let network = locked(&self.network);
        network.htlcs.iter().any(|htlc| network.payments[htlc.payment].hash() == payment_hash)
    }
}

/// A sender that runs.
pub struct Sender {
    pub port: Arc<Port>,
    pub store: Arc<Store>,
    pub outbox: Arc<Outbox>,
    pub ids: IdSource,
}

impl Sender {
    pub fn start(path: &Path, port: &Arc<Port>) -> Self {
        let store = Arc::new(Store::open(path).unwrap());
        let budget_msat = locked(&port.network).fee_budget_msat;
        let outbox = Arc::new(Outbox::new(store.clone(), port.clone(), RECORD_TYPE_DEFAULT, budget_msat).unwrap());
        outbox.caught_up();
        *locked(&port.store) = Arc::downgrade(&store);
        *locked(&port.outbox) = Arc::downgrade(&outbox);
        let ids = IdSource::above(store.last_own_id().unwrap());
        Self { port: port.clone(), store, outbox, ids }
    }
}
