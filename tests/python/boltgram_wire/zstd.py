"""Compressed messages: one frame of Zstandard (RFC 8878), alone.

Headers and blocks are looked through here, and only then the blocks go to the library, behind a header that claims nothing:
so each rule is checked by itself, and the library never reserves more than a message may have.
"""

import io
from dataclasses import dataclass

import xxhash
import zstandard

from .rules import Broken, check

MAGIC = bytes.fromhex("28b52ffd")
WINDOW_EXPONENT_MAX = 21
REPEATED_BYTE, COMPRESSED, RESERVED = 1, 2, 3
# A block's content is at most as large as the window, and never larger than this.
BLOCK_BYTES_MAX = 128 * 1024


@dataclass
class Header:
    """A frame's header, as far as it matters."""

    bytes: int
    reserved_bit: bool
    window: int | None
    dictionary_id: int
    content_size: int | None
    has_checksum: bool


def decode(data, bytes_max):
    """Decodes a message's compressed bytes, at most so many."""
    check("zstd-magic", data.startswith(MAGIC))
    header = read_header(data)
    blocks, has_empty_block = look_through_blocks(data[header.bytes :])
    end = header.bytes + blocks
    check("zstd-alone", end + 4 * header.has_checksum == len(data))
    check("zstd-header", not header.reserved_bit)
    check("zstd-header", header.window is None or header.window >> 3 <= WINDOW_EXPONENT_MAX)
    said = header.content_size
    check("decoded-size", said is None or said <= bytes_max)
    check("zstd-no-dictionary", header.dictionary_id == 0)
    check("zstd-intact", not has_empty_block)
    window = window_for(header, bytes_max)
    decoded = decode_blocks(data[header.bytes : end], window, bytes_max if said is None else said)
    if said is None:
        check("zstd-bytes-max", len(decoded) <= bytes_max)
    else:
        check("zstd-content-size", len(decoded) == said)
    if header.has_checksum:
        checksum = xxhash.xxh64(decoded).intdigest() & 0xFFFF_FFFF
        check("zstd-checksum", checksum == int.from_bytes(data[end:], "little"))
    return decoded


def read_header(data):
    """RFC 8878, 3.1.1.1."""
    at = len(MAGIC)

    def number(count):
        nonlocal at
        check("zstd-alone", at + count <= len(data))
        at += count
        return int.from_bytes(data[at - count : at], "little")

    descriptor = number(1)
    is_single_segment = bool(descriptor & 0x20)
    window = None if is_single_segment else number(1)
    dictionary_id = number((0, 1, 2, 4)[descriptor & 3])
    size_bytes = (1 if is_single_segment else 0, 2, 4, 8)[descriptor >> 6]
    content_size = number(size_bytes) if size_bytes else None
    if size_bytes == 2:
        content_size += 256
    return Header(at, bool(descriptor & 0x08), window, dictionary_id, content_size, bool(descriptor & 0x04))


def look_through_blocks(data):
    """How long the blocks are together, by their headers (RFC 8878, 3.1.1.2), and whether a compressed one has no bytes."""
    at, has_empty = 0, False
    while True:
        check("zstd-alone", at + 3 <= len(data))
        header = int.from_bytes(data[at : at + 3], "little")
        is_last, kind, size = header & 1, header >> 1 & 3, header >> 3
        check("zstd-alone", kind != RESERVED)
        has_empty |= kind == COMPRESSED and size == 0
        at += 3 + (1 if kind == REPEATED_BYTE else size)
        check("zstd-alone", at <= len(data))
        if is_last:
            return at, has_empty


def window_for(header, bytes_max):
    """The descriptor of a window that is large enough for all that may be decoded, and no larger than the frame asks for."""
    exponent = (max(bytes_max, BLOCK_BYTES_MAX) - 1).bit_length() - 10
    enough = exponent << 3
    return enough if header.window is None else min(header.window, enough)


def decode_blocks(blocks, window, bytes_max):
    """Decodes blocks, and gives at most one byte more than these."""
    frame = MAGIC + bytes([0, window]) + blocks
    try:
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(frame)) as reader:
            return reader.read(bytes_max + 1)
    except zstandard.ZstdError:
        raise Broken("zstd-intact") from None


def encode(data):
    """One frame that says its size."""
    return zstandard.ZstdCompressor(level=19).compress(data)
