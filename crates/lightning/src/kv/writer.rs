//! The thread that carries the operations out: all that wait at the same time share one transaction and one sync.

use std::collections::BTreeMap;

use ldk_node::lightning::io;

use super::{
    counters::Counters,
    file::{Change, WriteFile},
    key::{Durability, Key},
    queue::{Action, Operation, Queue},
};

/// Runs until the queue is closed and empty.
pub(super) fn run(mut file: WriteFile, queue: &Queue, counters: &Counters) {
    // After a failure nothing is written any more: see the module's rule.
    let mut failure: Option<String> = None;
    while let Some(batch) = queue.take() {
        if failure.is_none() {
            failure = carry_out(&mut file, &batch, counters).err().map(|error| error.to_string());
            if let Some(error) = &failure {
                tracing::error!(error, "the node's store can't write any more; the process has to end");
            }
        }
        for operation in batch {
            counters.carried_out(&operation.key);
            operation.acknowledge.tell(match &failure {
                None => Ok(()),
                Some(error) => {
                    Err(io::Error::new(io::ErrorKind::Other, format!("the node's store failed to write: {error}")))
                }
            });
        }
    }
}

/// Commits a batch. Of several changes of one key the last one counts: nobody was told of the others yet.
fn carry_out(file: &mut WriteFile, batch: &[Operation], counters: &Counters) -> rusqlite::Result<()> {
    let mut changes: BTreeMap<&Key, Change<'_>> = BTreeMap::new();
    for operation in batch {
        let change = match &operation.action {
            Action::Write(value) => Change::Write(value),
            Action::Remove | Action::RemoveLazily => Change::Remove,
            Action::Nothing => continue,
        };
        changes.insert(&operation.key, change);
    }
    if changes.is_empty() {
        return Ok(());
    }
    let is_synced = batch.iter().any(|operation| operation.durability() == Durability::Synced);
    let durability = if is_synced { Durability::Synced } else { Durability::Logged };
    file.commit(changes, durability)?;
    counters.committed(durability);
    Ok(())
}
