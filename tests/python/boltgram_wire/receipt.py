"""Receipts: a message by which its sender says, signed, what message it received."""

import hashlib

from . import signature
from .content import Content

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


def is_for(receipt, signer, chain_hash, sender, message_id, content_bytes):
    """Whether a content, in a frame that `signer` signed, is its receipt for this message."""
    hashed, signed = receipt.payload[:32], receipt.payload[32:]
    if receipt.content_type != CONTENT_TYPE or len(receipt.payload) != PAYLOAD_BYTES:
        return False
    if receipt.reply_to_id != message_id or hashed != content_hash(content_bytes):
        return False
    return signature.signer(signed, signed_text(chain_hash, sender, message_id, hashed)) == signer
