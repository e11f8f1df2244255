//! Addresses for the processes and nodes that tests start.

use std::{
    net::TcpListener,
    sync::{
        LazyLock,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
};

use bitcoin::secp256k1::rand::{self, Rng as _};

/// Where ports are looked for: below the range from which outgoing connections take theirs (32,768 and up), so that
/// one stays free while its node is down.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// The next one to try, from a place of this process's own: each is given out once.
static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(rand::thread_rng().gen_range(0..PORTS.end)));

/// A loopback address with a port that is free, and that this process was not given before.
pub fn free_address() -> String {
    let ports = std::iter::repeat_with(|| PORTS.start + NEXT.fetch_add(1, Relaxed) % (PORTS.end - PORTS.start));
    let mut free = ports.take(1_000).filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    free.next().unwrap().local_addr().unwrap().to_string()
}
