"""Keys, and texts signed as Lightning nodes sign them: 65 bytes from which the signer's key is recovered."""

import hashlib

import coincurve

from .rules import Broken, check

# The order of secp256k1's group.
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
SIGNATURE_BYTES = 65
HEADER_OF_RECOVERY_ID_0 = 31


def public_key(secret):
    """The node id of a secret key: 33 bytes."""
    return coincurve.PrivateKey(secret).public_key.format(compressed=True)


def digest(text):
    once = hashlib.sha256(b"Lightning Signed Message:" + text).digest()
    return hashlib.sha256(once).digest()


def sign(secret, text):
    """Signs a text, with RFC 6979's nonce."""
    compact = coincurve.PrivateKey(secret).sign_recoverable(digest(text), hasher=None)
    return bytes([HEADER_OF_RECOVERY_ID_0 + compact[64]]) + compact[:64]


def signer(signature, text):
    """The node id that signed a text, or that of nobody if it signed another."""
    recovery_id = signature[0] - HEADER_OF_RECOVERY_ID_0
    check("signature-header", 0 <= recovery_id <= 3)
    for number in (signature[1:33], signature[33:65]):
        check("signature-range", 1 <= int.from_bytes(number, "big") < ORDER)
    compact = signature[1:] + bytes([recovery_id])
    try:
        key = coincurve.PublicKey.from_signature_and_message(compact, digest(text), hasher=None)
    except Exception:  # The library tells it in one way or another; it is no point, or the one at infinity.
        raise Broken("signature-recovers") from None
    return key.format(compressed=True)
