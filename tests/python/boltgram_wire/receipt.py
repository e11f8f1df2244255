"""Receipts: a message by which its sender says, signed, what message it received."""

import hashlib
from dataclasses import dataclass

from . import signature
from .content import Content
from .rules import Broken, check

CONTENT_TYPE = "application/vnd.boltgram.receipt"
TAG = b"boltgram receipt v1:"
PAYLOAD_BYTES = 32 + signature.SIGNATURE_BYTES


def content_hash(content_bytes):
    """The hash of a message's content bytes, joined and decoded, as they travelled."""
    return hashlib.sha256(content_bytes).digest()


def signed_text(chain_hash, sender, message_id, hashed):
    return TAG + chain_hash + sender + message_id + hashed


def write(secret, chain_hash, sender, message_id, content_bytes):
    """The receipt for a message that `sender` sent to the owner of this key."""
    hashed = content_hash(content_bytes)
    signed = signature.sign(secret, signed_text(chain_hash, sender, message_id, hashed))
    return Content(hashed + signed, CONTENT_TYPE, message_id)


@dataclass
class Sent:
    """A message that was sent: a receipt may come for it."""

    to: bytes
    content_bytes: bytes


def check_receipt(receipt, signer, chain_hash, receiver, sent):
    """Refuses a receipt, out of a frame that `signer` signed, that doesn't count for its receiver, who had sent these messages,
    by their ids."""
    check("receipt-names-message", receipt.reply_to_id)
    check("receipt-payload", len(receipt.payload) == PAYLOAD_BYTES)
    hashed, signed = receipt.payload[:32], receipt.payload[32:]
    text = signed_text(chain_hash, receiver, receipt.reply_to_id, hashed)
    try:
        found = signature.signer(signed, text)
    except Broken:
        found = None
    check("receipt-signature", found == signer)
    message = sent.get(receipt.reply_to_id)
    check("receipt-sent", message and message.to == signer)
    check("receipt-content-hash", hashed == content_hash(message.content_bytes))
