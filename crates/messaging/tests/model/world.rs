//! Two senders, a receiver and the network between them: each step is taken, and what must hold then is checked.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
};

use boltgram_core::{NodeId, transport::EventHandler as _};
use boltgram_messaging::{Messaging, Options, outbox::Outbox};
use boltgram_store::Store;

use crate::{
    network::Network,
    sender::{Crash, Port, Sender, id, locked},
    steps::Step,
};

/// When each case begins.
const BEGIN_MS: u64 = 1_800_000_000_000;

pub struct World {
    pub network: Arc<Mutex<Network>>,
    /// `None` only while one is started again.
    senders: [Option<Sender>; 2],
    receiver: Option<Receiver>,
    folder: tempfile::TempDir,
    /// It is never driven: the receiver needs one to live on, and nothing of it runs by itself.
    runtime: tokio::runtime::Runtime,
}

pub struct Receiver {
    pub store: Arc<Store>,
    pub service: Arc<Messaging>,
}

impl World {
    pub fn new(fee_budget_msat: Option<u64>) -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let folder = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let network = Arc::new(Mutex::new(Network::new(receiver(), fee_budget_msat, BEGIN_MS)));
        for name in ["0", "1", "receiver"] {
            std::fs::write(folder.path().join(name), empty_store()).unwrap();
        }
        let start = |index: usize| Sender::start(&folder.path().join(index.to_string()), &Port::new(index, &network));
        let senders = [0, 1].map(|index| Some(start(index)));
        let receiver = Some(start_receiver(&runtime, folder.path().join("receiver"), &network));
        Self { network, senders, receiver, folder, runtime }
    }

    pub fn sender(&self, index: usize) -> &Sender {
        self.senders[index].as_ref().unwrap()
    }

    pub fn sender_mut(&mut self, index: usize) -> &mut Sender {
        self.senders[index].as_mut().unwrap()
    }

    pub fn inbox(&self) -> &Store {
        &self.receiver.as_ref().unwrap().store
    }

    pub fn step(&mut self, step: &Step) {
        let before = [0, 1].map(|index| self.sender(index).outbox.in_flight(receiver()));
        let touched = self.take(step);
        if let Some((index, has_crashed)) = touched {
            self.check(index, before[index], has_crashed);
        }
    }

    /// Takes a step; says which sender it may have changed, and whether that has crashed.
    fn take(&mut self, step: &Step) -> Option<(usize, bool)> {
        match *step {
            Step::Send { ref draft, queues, expires_in_ms, crashes } => {
                let has_crashed = self.send(draft, queues, expires_in_ms, crashes);
                return Some((draft.sender, has_crashed));
            }
            Step::Carry { sender, all } => {
                return self.on(sender, |port, outbox| port.carry(outbox, all));
            }
            Step::Tick { sender, waits } => {
                return self.on(sender, |port, outbox| {
                    look(port, outbox);
                    for _ in 0..waits {
                        locked(&port.network).now_ms += WAIT_MS;
                        look(port, outbox);
                    }
                });
            }
            Step::Cancel { sender, which } => return self.on(sender, |port, outbox| port.cancel(outbox, which)),
            Step::Tell { sender, which, is_acknowledged } => return self.tell(sender, which, is_acknowledged),
            Step::Crash { sender, fates } => {
                self.crash(sender, fates);
                return Some((sender, true));
            }
            Step::Weather { sender, weather } => {
                locked(&self.network).weather[sender] = weather;
                if weather.is_online {
                    self.sender(sender).outbox.reachable(&[receiver()]);
                }
                return Some((sender, false));
            }
            Step::Wait { ms } => locked(&self.network).now_ms += ms,
            Step::Arrive { which, fee_permille } => self.htlc(which, |network, at| network.arrive(at, fee_permille)),
            Step::Fail { which, reason } => self.htlc(which, |network, at| network.fail(at, reason)),
            Step::FailFalsely { which, tells_late } => {
                self.htlc(which, |network, at| network.fail_falsely(at, tells_late));
            }
            Step::Receive { is_acknowledged } => self.receive(is_acknowledged),
            Step::Trick { sender, trick } => locked(&self.network).tricks[sender].push_back(trick),
            Step::Meanwhile { sender, meanwhile } => locked(&self.network).meanwhile[sender].push_back(meanwhile),
            Step::CrashReceiver => self.crash_receiver(),
        }
        None
    }

    fn htlc(&self, which: u8, end: impl FnOnce(&mut Network, usize)) {
        let mut network = locked(&self.network);
        if !network.htlcs.is_empty() {
            let at = usize::from(which) % network.htlcs.len();
            end(&mut network, at);
        }
    }

    /// Lets a sender do something, in which it may crash.
    pub fn on(&mut self, sender: usize, act: impl FnOnce(&Port, &Outbox)) -> Option<(usize, bool)> {
        let Sender { port, outbox, .. } = self.sender(sender);
        let (port, outbox) = (port.clone(), outbox.clone());
        let acted = catch_unwind(AssertUnwindSafe(move || act(&port, &outbox)));
        let has_crashed = acted.is_err();
        if let Err(cause) = acted {
            if !cause.is::<Crash>() {
                resume_unwind(cause);
            }
            let fates = locked(&self.network).payments.len() as u64;
            self.crash(sender, fates * 0x1234_5678_9abc);
        }
        Some((sender, has_crashed))
    }

    /// All in memory is lost; what the disk holds is begun with anew.
    pub fn crash(&mut self, sender: usize, fates: u64) {
        locked(&self.network).crashed(sender, fates);
        let path = self.folder.path().join(sender.to_string());
        let port = self.sender(sender).port.clone();
        locked(&port.endings).clear();
        self.senders[sender] = None;
        self.senders[sender] = Some(Sender::start(&path, &port));
    }

    pub fn crash_receiver(&mut self) {
        self.receiver = None;
        self.receiver = Some(start_receiver(&self.runtime, self.folder.path().join("receiver"), &self.network));
    }

    pub fn tell(&mut self, sender: usize, which: u8, is_acknowledged: bool) -> Option<(usize, bool)> {
        let event = {
            let mut network = locked(&self.network);
            let events = &mut network.events[sender];
            if events.is_empty() {
                return None;
            }
            let at = usize::from(which) % events.len();
            if is_acknowledged { events.remove(at) } else { events[at].clone() }
        };
        self.on(sender, |port, outbox| port.tell(outbox, &event))
    }

    pub fn receive(&self, is_acknowledged: bool) {
        let event = locked(&self.network).receiver_events.first().cloned();
        if let Some(event) = event {
            self.receiver.as_ref().unwrap().service.handle(event).unwrap();
            if is_acknowledged {
                locked(&self.network).receiver_events.remove(0);
            }
        }
    }
}

/// Longer than any wait after a failure.
pub const WAIT_MS: u64 = 61_000;

/// The node that the messages are for.
const RECEIVER: usize = 2;

/// What a tick does.
pub fn look(port: &Port, outbox: &Outbox) {
    let now_ms = locked(&port.network).now_ms;
    port.expire(outbox);
    let ended = outbox.resolve(now_ms).unwrap();
    port.look_for_cuts();
    port.ended(ended);
    if !outbox.due(now_ms).is_empty() {
        port.carry(outbox, true);
    }
}

fn start_receiver(runtime: &tokio::runtime::Runtime, path: PathBuf, network: &Arc<Mutex<Network>>) -> Receiver {
    let _inside = runtime.enter();
    let store = Arc::new(Store::open(&path).unwrap());
    let service = Messaging::new(store.clone(), Port::new(RECEIVER, network), &Options::default()).unwrap();
    Receiver { store, service }
}

/// The id of the node that the messages are for.
pub fn receiver() -> NodeId {
    id(RECEIVER)
}

/// A store of this version with nothing in it: a copy is made faster than a new one.
fn empty_store() -> &'static [u8] {
    static EMPTY: OnceLock<Vec<u8>> = OnceLock::new();
    EMPTY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty");
        drop(Store::open(&path).unwrap());
        std::fs::read(path).unwrap()
    })
}
