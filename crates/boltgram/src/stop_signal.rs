//! What asks the process to end: SIGINT, SIGTERM, or the API's `Admin.Stop`.

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// The request to end. Once made it stays made, for all clones.
#[derive(Clone, Debug)]
pub struct StopSignal(watch::Sender<bool>);

impl StopSignal {
    /// Listens for both signals from here on. They no longer end the process by themselves.
    pub fn listen() -> std::io::Result<Self> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let stop = Self(watch::Sender::new(false));
        let asked = stop.0.clone();
        tokio::spawn(async move {
            let name = first_of(interrupt, terminate).await;
            tracing::info!("{name} was received");
            asked.send_replace(true);
        });
        Ok(stop)
    }

    /// Completes when the end was asked for.
    pub async fn received(&self) {
        // The sender lives in `self`, so the wait can't fail.
        let _ = self.0.subscribe().wait_for(|asked| *asked).await;
    }

    /// For others that may ask for the end: they set it to `true`.
    pub fn sender(&self) -> watch::Sender<bool> {
        self.0.clone()
    }
}

async fn first_of(mut interrupt: Signal, mut terminate: Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}
