//! How long a call may wait: the caller's `grpc-timeout`, less a little, so that our own answer, which names the
//! message, comes before the transport's, which knows nothing.

use std::time::Duration;

use boltgram_core::limits::SEND_WAIT_MS_DEFAULT;
use tonic::metadata::MetadataMap;

use crate::{limits::DEADLINE_MARGIN_MS_MAX, timeout::TIMEOUT_HEADER};

/// How long a send may wait for its payment.
pub(crate) fn wait(metadata: &MetadataMap) -> Duration {
    let default = Duration::from_millis(SEND_WAIT_MS_DEFAULT);
    let asked = metadata.get(TIMEOUT_HEADER).and_then(|value| crate::timeout::parse(value.to_str().ok()?));
    let limit = asked.unwrap_or(default);
    limit - (limit / 10).min(Duration::from_millis(DEADLINE_MARGIN_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_ms(timeout: &str) -> u128 {
        let mut metadata = MetadataMap::new();
        metadata.insert(TIMEOUT_HEADER, timeout.parse().unwrap());
        wait(&metadata).as_millis()
    }

    #[test]
    fn the_wait_ends_a_little_before_the_callers_deadline() {
        assert_eq!(wait_ms("10S"), 9_750);
        assert_eq!(wait_ms("1000m"), 900);
        assert_eq!(wait_ms("nonsense"), 59_750);
        assert_eq!(wait(&MetadataMap::new()).as_millis(), 59_750);
    }
}
