"""Frames and their parts."""

from dataclasses import dataclass

from . import protobuf
from .rules import FRAME_PARTS_MAX, check

PLAIN, ZSTD = 0, 1

FRAME = {1: ("parts", "messages"), 2: ("sender_check", "bytes")}
PART = {
    1: ("message_id", "bytes"),
    2: ("offset", "uint32"),
    3: ("total_bytes", "uint32"),
    4: ("amount_msat", "uint64"),
    5: ("encoding", "enum"),
    6: ("body", "bytes"),
}
# A part lies in a frame, which counts as a level of depth.
PART_GROUPS_MAX = protobuf.GROUPS_MAX - 1


@dataclass
class Part:
    """A byte range of a message, or a whole message."""

    message_id: bytes
    body: bytes
    offset: int = 0
    total_bytes: int = 0
    amount_msat: int = 0
    encoding: int = PLAIN

    @property
    def message_bytes(self):
        """How many encoded bytes its message has."""
        return self.total_bytes or len(self.body)

    @property
    def end(self):
        return self.offset + len(self.body)


@dataclass
class Frame:
    """What one payment carries."""

    parts: list
    sender_check: bytes

    def amounts_msat(self, payment_msat):
        """What each part carries of the payment."""
        if len(self.parts) == 1:
            return [payment_msat]
        amounts = [part.amount_msat for part in self.parts]
        check("amounts-within-payment", sum(amounts) <= payment_msat)
        return amounts


def is_message_id(data):
    """Whether these bytes are a UUID version 7."""
    return len(data) == 16 and data[6] >> 4 == 7 and data[8] >> 6 == 0b10


def read(data):
    """Reads a frame and checks its rules, but for the two that need more than the frame."""
    values = protobuf.read(data, FRAME)
    parts = [Part(**protobuf.read(part, PART, PART_GROUPS_MAX)) for part in values["parts"]]
    check("frame-has-parts", parts)
    check("frame-parts-max", len(parts) <= FRAME_PARTS_MAX)
    for part in parts:
        check("part-id", is_message_id(part.message_id))
        check("part-has-body", part.body)
        check("part-encoding", part.encoding in (PLAIN, ZSTD))
        check("whole-has-no-offset", part.total_bytes or not part.offset)
        check("range-within-total", part.end <= part.message_bytes)
        check("lone-part-names-no-amount", len(parts) > 1 or not part.amount_msat)
    return Frame(parts, values["sender_check"])


def write(frame):
    parts = [protobuf.write(vars(part), PART) for part in frame.parts]
    return protobuf.write({"parts": parts, "sender_check": frame.sender_check}, FRAME)
