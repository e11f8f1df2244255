//! A panic inside ldk-node ends the process.
//!
//! LDK panics when it can't write a channel's state, since to go on could lose funds. But ldk-node's tasks end
//! unseen when they panic, and a panic in a call poisons its locks. So the program installs a hook, and
//! every thread that runs ldk-node's code is marked: the threads of its runtime for good, others while they call it.

use std::{
    cell::Cell,
    io::Write as _,
    panic::PanicHookInfo,
    path::{Path, PathBuf},
    sync::{Once, OnceLock},
};

use crate::disk;

/// The exit code of a process whose node panicked: `EX_SOFTWARE` of sysexits.h.
pub const EXIT_CODE_NODE_PANIC: i32 = 70;

thread_local! {
    /// How many calls into ldk-node this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Marks this thread as one that runs ldk-node's code, until it is dropped.
pub(crate) struct Marker(());

impl Marker {
    pub(crate) fn enter() -> Self {
        DEPTH.set(DEPTH.get().saturating_add(1));
        Self(())
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
    }
}

/// The data folder of the process's first node: a panic is told with what is wrong with its disk.
static DATA_DIR: OnceLock<PathBuf> = OnceLock::new();

/// From now on a panic looks at the disk of this folder, unless it looks at another's already.
pub(crate) fn look_at(data_dir: &Path) {
    let _ = DATA_DIR.set(data_dir.to_owned());
}

/// Marks this thread for good.
pub(crate) fn mark_thread() {
    std::mem::forget(Marker::enter());
}

/// From now on, a panic inside ldk-node ends the process with [`EXIT_CODE_NODE_PANIC`]; any other goes to the hook
/// that was there before. To be called once, first thing in `main`; further calls do nothing.
pub fn install_panic_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if DEPTH.try_with(Cell::get).unwrap_or(0) == 0 {
                return previous(panic);
            }
            let report = report(panic);
            let _ = writeln!(std::io::stderr(), "{report}");
            tracing::error!("{report}");
            std::process::exit(EXIT_CODE_NODE_PANIC);
        }));
    });
}

/// What is told of a panic: where, and why only if the text is a literal. A formatted one may hold preimages and
/// messages: LDK formats whole monitor updates.
fn report(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map(ToString::to_string).unwrap_or_else(|| "an unknown place".to_owned());
    let reason = panic.payload().downcast_ref::<&'static str>().copied();
    let reason = reason.map(|text| format!(" ({text})")).unwrap_or_default();
    let next = DATA_DIR.get().and_then(|folder| disk::full(folder));
    let next = next.unwrap_or_else(|| "See that the disk has room and works, then start it again".to_owned());
    format!("the Lightning node panicked at {place}{reason}. The process ends so that no channel state is lost. {next}")
}
