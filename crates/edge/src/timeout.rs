//! The format of a call's deadline, as gRPC writes it in the `grpc-timeout` header.

use std::time::Duration;

use crate::limits::TIMEOUT_DIGITS_MAX;

/// The header with a call's deadline.
pub(crate) const TIMEOUT_HEADER: &str = "grpc-timeout";

/// Reads one to eight digits, not 0, and a unit of `HMSmun`.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=TIMEOUT_DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|number| is_number && *number > 0)?;
    Some(match unit {
        "H" => Duration::from_secs(number * 60 * 60),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_read_as_grpc_writes_it() {
        assert_eq!(parse("5S"), Some(Duration::from_secs(5)));
        assert_eq!(parse("100m"), Some(Duration::from_millis(100)));
        assert_eq!(parse("99999999H"), Some(Duration::from_secs(99_999_999 * 3_600)));
        for bad in ["", "S", "5", "5s", "0S", "-5S", "+5S", "123456789S", "5 S", "5é", "é", "1.5S"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
