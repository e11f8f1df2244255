"""Each rule that a receiver checks, by its name in docs/protocol.md, with the reason for which it puts aside what breaks it."""

RECORD_BYTES_ACCEPTED_MAX = 65_536
FRAME_PARTS_MAX = 64
CONTENT_TYPE_BYTES_MAX = 127
MESSAGE_BYTES_MAX_DEFAULT = 65_536
CONTENT_OVERHEAD_BYTES_MAX = 256

NAMES_BY_REASON = {
    "UNREADABLE": """
        record-size record-text record-header
        protobuf-varint protobuf-key protobuf-type protobuf-end protobuf-group protobuf-string
        frame-has-parts frame-parts-max part-id part-has-body part-encoding whole-has-no-offset range-within-total
        lone-part-names-no-amount amounts-within-payment
        zstd-magic zstd-alone zstd-header zstd-no-dictionary zstd-intact zstd-content-size zstd-bytes-max zstd-checksum
        content-has-payload content-type content-text content-reply-to-id
        receipt-names-message receipt-payload
    """,
    "SIGNATURE": "signature-header signature-range signature-recovers sender-check",
    "CONFLICT": "parts-same-total parts-same-encoding parts-same-bytes message-same-content",
    "RECEIPT": "receipt-signature receipt-sent receipt-content-hash",
    "TOO_LARGE": "encoded-size decoded-size payload-size",
}
REASONS = {name: reason for reason, names in NAMES_BY_REASON.items() for name in names.split()}


class Broken(Exception):
    """A rule is broken: what is read is put aside."""

    def __init__(self, rule):
        super().__init__(rule)
        self.rule = rule
        self.reason = REASONS[rule]


def check(rule, holds):
    """Refuses what breaks a rule."""
    if not holds:
        raise Broken(rule)
