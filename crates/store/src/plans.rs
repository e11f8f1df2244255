//! How SQLite reads what is asked for often: by an index, in its order, so that it costs the same however long the
//! history is. The statements are the very ones that are run.

use boltgram_core::message::{Direction, Peer, State};
use rusqlite::Connection;

use crate::{
    conversations, delete,
    outgoing::receipts,
    read::{PageKey, Query, page_sql},
    schema, search,
};

/// The steps of a statement, as `EXPLAIN QUERY PLAN` tells them.
fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let mut rows = statement.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get("detail").unwrap());
    }
    steps
}

/// What in a plan grows with the history: rows that are looked at one by one, and sorting. The full-text index is scanned
/// by its own rules, and a list of rows that a statement has collected is as long as its limit.
fn growing(steps: &[String]) -> Vec<&String> {
    let is_scan = |step: &&String| step.starts_with("SCAN ") && !step.contains("VIRTUAL TABLE");
    steps.iter().filter(|step| is_scan(step) || step.contains("TEMP B-TREE")).collect()
}

fn database() -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let connection = schema::open(&folder.path().join("messages.sqlite")).unwrap();
    (folder, connection)
}

/// Every kind of page that a caller can ask for, but for those of a conversation's waiting messages: these are few.
fn queries() -> Vec<Query> {
    let keys = |is_by_id: bool| {
        let id = is_by_id.then(|| boltgram_core::IdSource::above(None).next(1));
        [None, Some(PageKey { row: 1, id })]
    };
    let mut queries = Vec::new();
    for peer in [None, Some(Peer::Unsigned)] {
        for direction in [None, Some(Direction::In)] {
            for state in [None, Some(State::Failed)] {
                for pending_only in [false, true] {
                    for before in keys(peer.is_some()) {
                        queries.push(Query { direction, peer, state, pending_only, before, limit: 1 });
                    }
                }
            }
        }
    }
    queries.retain(|query| !(query.pending_only && query.peer.is_some()));
    queries
}

#[test]
fn no_page_grows_with_the_history() {
    let (_folder, connection) = database();
    for query in queries() {
        let steps = plan(&connection, &page_sql(&query));
        assert!(growing(&steps).is_empty(), "{query:?}: {steps:?}");
        let goes_on = query.before.is_none() || steps[0].contains("<?") || steps[0].contains("<(?,?)");
        assert!(goes_on, "a page goes on where the last one ended: {query:?}: {steps:?}");
    }
}

#[test]
fn conversations_marks_searches_receipts_and_the_retention_do_not_grow_with_the_history() {
    let (_folder, connection) = database();
    let (page, search) = (conversations::page_sql(), search::sql());
    let kept = [page.as_str(), conversations::MARK_SQL, search.as_str(), delete::OLDER_SQL];
    for sql in kept.into_iter().chain([receipts::SPENT_SQL]) {
        let steps = plan(&connection, sql);
        assert!(growing(&steps).is_empty(), "{sql}: {steps:?}");
    }
}

#[test]
fn a_plan_that_grows_is_seen() {
    let (_folder, connection) = database();
    let steps = plan(&connection, "SELECT id FROM messages WHERE fee_msat > 0 ORDER BY amount_msat");
    assert_eq!(growing(&steps).len(), 2, "{steps:?}");
}
