//! The caller's key for a message: by the `idempotency-key` metadata, which HTTP passes on from its header of that name,
//! or by the request's field.

use boltgram_core::limits::IDEMPOTENCY_KEY_BYTES_MAX;
use tonic::{Status, metadata::MetadataMap};

use super::convert::invalid_field;
use crate::http::IDEMPOTENCY_KEY;

/// The field's name, which the header's errors have too: both say the same.
const FIELD: &str = "idempotency_key";

/// The key of a request with this metadata and field; an empty field is none. A key that can't be read is refused: to send
/// without it could send twice.
pub(crate) fn key(metadata: &MetadataMap, field: &str) -> Result<Option<String>, Status> {
    let mut values = metadata.get_all(IDEMPOTENCY_KEY).iter();
    let header = values.next().map(|value| value.to_str().map_err(|_| not_valid())).transpose()?;
    if values.next().is_some() {
        return Err(invalid_field(FIELD, "is given twice: give one Idempotency-Key"));
    }
    let field = Some(field).filter(|field| !field.is_empty());
    if let (Some(header), Some(field)) = (header, field)
        && header != field
    {
        return Err(invalid_field(FIELD, "is not what Idempotency-Key says: give one of both, or the same"));
    }
    match header.or(field) {
        None => Ok(None),
        Some(key) if is_valid(key) => Ok(Some(key.to_owned())),
        Some(_) => Err(not_valid()),
    }
}

fn is_valid(key: &str) -> bool {
    (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()) && !key.chars().any(char::is_control)
}

fn not_valid() -> Status {
    let problem = format!("is not valid: give 1 to {IDEMPOTENCY_KEY_BYTES_MAX} bytes without control characters");
    invalid_field(FIELD, &problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[&str], field: &str) -> Result<Option<String>, Status> {
        let mut metadata = MetadataMap::new();
        for header in headers {
            metadata.append(IDEMPOTENCY_KEY, header.parse().unwrap());
        }
        key(&metadata, field)
    }

    #[test]
    fn a_key_comes_by_header_or_field_and_both_must_agree() {
        assert_eq!(of(&[], "").unwrap(), None);
        for (headers, field) in [(&["k 1"][..], ""), (&[], "k 1"), (&["k 1"], "k 1")] {
            assert_eq!(of(headers, field).unwrap().as_deref(), Some("k 1"));
        }
        assert_eq!(of(&[], "ключ").unwrap().as_deref(), Some("ключ"));
        let long = "k".repeat(IDEMPOTENCY_KEY_BYTES_MAX + 1);
        for (headers, field) in
            [(&["a"][..], "b"), (&["a", "a"], ""), (&[""], ""), (&[], "a\nb"), (&[&long[..]], ""), (&[], &long)]
        {
            assert_eq!(of(headers, field).unwrap_err().code(), tonic::Code::InvalidArgument, "{headers:?} {field}");
        }
        let mut metadata = MetadataMap::new();
        metadata.insert(IDEMPOTENCY_KEY, tonic::metadata::MetadataValue::try_from(&b"\xff"[..]).unwrap());
        assert!(key(&metadata, "").is_err());
    }
}
