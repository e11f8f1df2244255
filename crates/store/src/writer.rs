//! The one connection that writes, on a thread of its own.
//!
//! Writes that wait at the same time share one transaction and so one sync (group commit). Each runs in a savepoint, so
//! that one which fails takes none of the others with it. A caller is answered after the commit, and
//! subscribers are told after it: nothing is published that a crash could take back.

use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use boltgram_core::limits::{STORE_WRITE_QUEUE_MAX, STORE_WRITES_PER_COMMIT_MAX};
use rusqlite::{Connection, OptionalExtension as _, Savepoint, TransactionBehavior};
use tokio::sync::watch;

use crate::StoreError;

/// Answers a write's caller, once its transaction was committed or failed.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A write: it runs in its savepoint and gives back how its caller is answered.
type Job = Box<dyn FnOnce(Savepoint<'_>) -> Answer + Send>;

#[derive(Debug)]
pub(crate) struct Writer {
    /// `None` only while it is dropped: that ends the thread.
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    sequence: watch::Receiver<u64>,
}

impl Writer {
    /// Starts the thread on this connection.
    pub(crate) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (jobs, queue) = sync_channel(STORE_WRITE_QUEUE_MAX);
        let (publish, sequence) = watch::channel(last_sequence(&connection)?);
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || run(connection, &queue, &publish))
            .map_err(|error| StoreError::Schema(format!("its thread can't be started: {error}")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), sequence })
    }

    pub(crate) fn watch_sequence(&self) -> watch::Receiver<u64> {
        self.sequence.clone()
    }

    /// Runs `job` in the next transaction and returns once that is on disk. Waits when the queue is full.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = sync_channel(1);
        let job: Job = Box::new(move |savepoint| {
            let result = job(&savepoint).and_then(|value| Ok(savepoint.commit().map(|()| value)?));
            Box::new(move |committed| {
                // The caller may be gone; the write stands all the same.
                let _ = answer.send(committed.and(result));
            })
        });
        self.jobs.as_ref().ok_or(StoreError::Closed)?.send(job).map_err(|_| StoreError::Closed)?;
        answered.recv().map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut connection: Connection, queue: &Receiver<Job>, publish: &watch::Sender<u64>) {
    while let Ok(first) = queue.recv() {
        let jobs = std::iter::once(first).chain(queue.try_iter().take(STORE_WRITES_PER_COMMIT_MAX - 1));
        let mut answers = Vec::new();
        let committed = commit(&mut connection, jobs, &mut answers);
        if let Ok(sequence) = committed {
            publish.send_if_modified(|last| std::mem::replace(last, sequence) != sequence);
        }
        if let Err(error) = &committed {
            tracing::error!(%error, "a commit to the message store failed");
        }
        for answer in answers {
            answer(committed.clone().map(|_| ()));
        }
    }
}

/// Runs the jobs in one transaction and returns the log's last sequence number after it.
///
/// When the transaction can't even begin, the jobs are dropped unrun, which tells their callers.
fn commit(
    connection: &mut Connection,
    jobs: impl Iterator<Item = Job>,
    answers: &mut Vec<Answer>,
) -> Result<u64, StoreError> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in jobs {
        answers.push(job(transaction.savepoint()?));
    }
    let sequence = last_sequence(&transaction)?;
    transaction.commit()?;
    Ok(sequence)
}

fn last_sequence(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'log'";
    let sequence: Option<i64> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    u64::try_from(sequence.unwrap_or(0)).map_err(|_| StoreError::Corrupt("a negative sequence number"))
}
