//! A relay before a node's Lightning port, which can hold back all that passes, both ways, and let it go on later.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

/// The relay. Its threads end with the process.
pub struct Relay {
    pub address: String,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    is_shut: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let _open = self.opened.wait_while(self.is_shut.lock().unwrap(), |is_shut| *is_shut).unwrap();
    }
}

impl Relay {
    /// Starts one that passes all on to `upstream`.
    pub fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self { address: listener.local_addr().unwrap().to_string(), gate: Arc::default() };
        let (upstream, gate) = (upstream.to_owned(), relay.gate.clone());
        thread::spawn(move || {
            for downstream in listener.incoming() {
                let downstream = downstream.unwrap();
                // Who dials a node that is away is hung up on.
                let Ok(upstream) = TcpStream::connect(&upstream) else { continue };
                for (from, to) in [(&downstream, &upstream), (&upstream, &downstream)] {
                    let (from, to, gate) = (from.try_clone().unwrap(), to.try_clone().unwrap(), gate.clone());
                    thread::spawn(move || copy(from, to, &gate));
                }
            }
        });
        relay
    }

    /// Holds back what comes from now on.
    pub fn hold(&self) {
        *self.gate.is_shut.lock().unwrap() = true;
    }

    /// Lets all go on.
    pub fn release(&self) {
        *self.gate.is_shut.lock().unwrap() = false;
        self.gate.opened.notify_all();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.release();
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, gate: &Gate) {
    let mut buffer = [0; 64 * 1_024];
    while let Ok(count) = from.read(&mut buffer) {
        gate.pass();
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}
