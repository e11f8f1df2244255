"""The record of a payment: version, signature and frame, or a text."""

from . import frame
from .content import is_utf_8
from .rules import RECORD_BYTES_ACCEPTED_MAX, check
from .signature import SIGNATURE_BYTES, public_key, sign, signer

RECORD_TYPE = 400_001
VERSION = b"\x01"
FRAME_TAG = b"boltgram frame v1:"
HEADER_BYTES = len(VERSION) + SIGNATURE_BYTES


def signed_text(chain_hash, recipient, frame_bytes):
    return FRAME_TAG + chain_hash + recipient + frame_bytes


def sender_check(sender):
    return sender[1:5]


def read(record, chain_hash, recipient):
    """Reads a record that a node received: its sender and the frame, or None and the text's bytes."""
    check("record-size", len(record) <= RECORD_BYTES_ACCEPTED_MAX)
    if not record.startswith(VERSION):
        check("record-text", record and is_utf_8(record))
        return None, record
    check("record-header", len(record) >= HEADER_BYTES)
    frame_bytes = record[HEADER_BYTES:]
    sender = signer(record[1:HEADER_BYTES], signed_text(chain_hash, recipient, frame_bytes))
    received = frame.read(frame_bytes)
    check("sender-check", received.sender_check == sender_check(sender))
    return sender, received


def write(secret, chain_hash, recipient, parts):
    """The record of a frame of these parts, signed."""
    frame_bytes = frame.write(frame.Frame(parts, sender_check(public_key(secret))))
    return VERSION + sign(secret, signed_text(chain_hash, recipient, frame_bytes)) + frame_bytes
