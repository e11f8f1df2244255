//! The errors of the API: one row for each reason, and the answers that an operation may have because of them.

use boltgram_core::Reason;
use http::StatusCode;
use tonic::Code;

use super::{
    model::{Additional, Ordered, Parameter, Response, Schema},
    operation::media,
};
use crate::{grpc::status, http::error::http_status};

/// The component that every error's body is.
pub(super) const STATUS: &str = "Status";

/// One row of the error table.
#[derive(Clone, Debug)]
pub struct ErrorRow {
    /// The stable reason, as it stands in `google.rpc.ErrorInfo`.
    pub reason: &'static str,
    /// The gRPC status code's name, such as `NOT_FOUND`.
    pub code: String,
    /// The HTTP status.
    pub http_status: u16,
    /// Whether the same request may work later, with nothing changed by the caller.
    pub is_retryable: bool,
    /// What it means, in a sentence.
    pub meaning: &'static str,
}

/// The error table: every reason, in the order in which core has them.
pub fn errors() -> Vec<ErrorRow> {
    let row = |reason: &Reason| {
        let code = status::code(reason.kind());
        ErrorRow {
            reason: reason.code(),
            code: code_name(code),
            http_status: http_status(code).as_u16(),
            is_retryable: reason.is_retryable(),
            meaning: reason.meaning(),
        }
    };
    Reason::ALL.iter().map(row).collect()
}

/// A code's name as the gRPC documents write it: `NOT_FOUND`.
fn code_name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// What the gateway itself says with a status, beside the services' reasons.
fn gateway_words(http_status: StatusCode) -> Option<&'static str> {
    match http_status {
        StatusCode::BAD_REQUEST => Some("The request can't be read: the message says where."),
        StatusCode::NOT_FOUND => Some("No RPC has this path."),
        StatusCode::PAYLOAD_TOO_LARGE => Some("The request's body is too long."),
        StatusCode::GATEWAY_TIMEOUT => Some("The deadline has passed; what was begun may go on."),
        _ => None,
    }
}

/// The error answers by status: `400` to `504`, those of the services' reasons and the gateway's own.
pub(super) fn responses() -> Ordered<Response> {
    let rows = errors();
    let mut statuses: Vec<u16> = rows.iter().map(|row| row.http_status).collect();
    statuses.push(StatusCode::PAYLOAD_TOO_LARGE.as_u16());
    statuses.sort_unstable();
    statuses.dedup();
    statuses.into_iter().map(|status| (component(status), response(status, &rows))).collect()
}

/// The name of the component with a status's answer.
pub(super) fn component(status: u16) -> String {
    format!("Error{status}")
}

fn response(status: u16, rows: &[ErrorRow]) -> Response {
    let words = StatusCode::from_u16(status).ok().and_then(gateway_words).map(str::to_owned);
    let reasons = rows.iter().filter(|row| row.http_status == status);
    let reasons = reasons.map(|row| format!("`{}`: {}", row.reason, row.meaning));
    let description = words.into_iter().chain(reasons).collect::<Vec<_>>().join("\n\n");
    Response { description, content: media("application/json", Schema::reference(STATUS)) }
}

/// `google.rpc.Status` as JSON, and the `google.rpc.ErrorInfo` among its details.
pub(super) fn schemas() -> Ordered<Schema> {
    let text = |description: &str| Schema::of("string").described(description);
    let texts = Additional::Like(Box::new(Schema::of("string")));
    let metadata = Schema { additional_properties: Some(texts), ..Schema::of("object") };
    let type_name = || ("@type".to_owned(), text("The detail's type: `type.googleapis.com/` and its full name."));
    let mut detail = Schema::object(
        Ordered(vec![
            type_name(),
            ("reason".into(), text("The stable reason, for programs: see the table of errors.")),
            ("domain".into(), text("Always `boltgram`.")),
            (
                "metadata".into(),
                metadata.described("Numbers and ids that belong to it; `retryable` is `true` or `false`."),
            ),
        ]),
        false,
    );
    detail.required.push("@type".into());
    let details = Schema { items: Some(Box::new(Schema::reference("ErrorDetail"))), ..Schema::of("array") };
    let status = Schema::object(
        Ordered(vec![
            ("code".into(), Schema::of("integer").described("The gRPC status code.")),
            ("message".into(), text("What is wrong and what to do, for a person.")),
            ("details".into(), details.described("A `google.rpc.ErrorInfo` where the services found the error.")),
        ]),
        true,
    );
    Ordered(vec![
        (STATUS.into(), status.described("Why a request was refused: `google.rpc.Status`.")),
        (
            "ErrorDetail".into(),
            detail.described("A detail of an error; of another type than ErrorInfo it has `value` as base64."),
        ),
    ])
}

/// The header with a caller's deadline.
pub(super) fn timeout_parameter() -> Parameter {
    Parameter {
        name: "Grpc-Timeout".into(),
        place: "header",
        required: false,
        description: Some(
            "How long to wait at most: 1 to 8 digits and a unit, `H`, `M`, `S`, `m` (milliseconds), `u` or `n`, such as \
             `5S`. Absent: 60 s, and no limit for a stream."
                .into(),
        ),
        schema: Schema { pattern: Some("^[1-9][0-9]{0,7}[HMSmun]$"), ..Schema::of("string") },
    }
}
