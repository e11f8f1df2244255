"""A receiver that begins with nothing and takes everything from everybody: messages from payments."""

from dataclasses import dataclass, field

from . import content, receipt, record, zstd
from .content import Content
from .frame import PLAIN
from .rules import CONTENT_OVERHEAD_BYTES_MAX, MESSAGE_BYTES_MAX_DEFAULT, Broken, check


@dataclass
class Message:
    """A message that was received; without id and sender an unsigned text."""

    id: bytes | None
    sender: bytes | None
    content: Content
    amount_msat: int
    # The content as it arrived, which a receipt is about.
    content_bytes: bytes


@dataclass
class Waiting:
    """What is held of a message that isn't complete: each byte, or None."""

    encoding: int
    held: list
    amount_msat: int = 0

    @classmethod
    def begun_by(cls, part):
        return cls(part.encoding, [None] * part.message_bytes)

    def add(self, part, amount_msat):
        check("parts-same-total", part.message_bytes == len(self.held))
        check("parts-same-encoding", part.encoding == self.encoding)
        before = self.held[part.offset : part.end]
        check("parts-same-bytes", all(old in (None, new) for old, new in zip(before, part.body)))
        self.held[part.offset : part.end] = part.body
        if None in before:
            self.amount_msat += amount_msat

    def is_complete(self):
        return None not in self.held


@dataclass
class Inbox:
    """The messages of a node, in the order in which they became complete."""

    chain_hash: bytes
    recipient: bytes
    # What this node has sent, by its id: receipts may come for it.
    sent: dict = field(default_factory=dict)
    payload_bytes_max: int = MESSAGE_BYTES_MAX_DEFAULT
    messages: list = field(default_factory=list)
    known: dict = field(default_factory=dict)
    waiting: dict = field(default_factory=dict)
    receipted: set = field(default_factory=set)

    @property
    def bytes_max(self):
        return self.payload_bytes_max + CONTENT_OVERHEAD_BYTES_MAX

    def receive(self, data, amount_msat):
        """Takes a payment's record; gives the first rule for which anything of it is put aside, if any."""
        try:
            sender, received = record.read(data, self.chain_hash, self.recipient)
            if sender is None:
                self.take_text(received, amount_msat)
                return None
            amounts = received.amounts_msat(amount_msat)
        except Broken as broken:
            return broken
        first = None
        for part, part_msat in zip(received.parts, amounts):
            try:
                self.take(sender, part, part_msat)
            except Broken as broken:
                first = first or broken
        return first

    def take_text(self, text, amount_msat):
        check("payload-size", len(text) <= self.payload_bytes_max)
        self.messages.append(Message(None, None, Content(text), amount_msat, b""))

    def take(self, sender, part, amount_msat):
        check("encoded-size", part.message_bytes <= self.bytes_max)
        key = (sender, part.message_id)
        if key in self.known:
            self.compare(self.known[key], part)
            return
        waiting = self.waiting.get(key) or Waiting.begun_by(part)
        waiting.add(part, amount_msat)
        if not waiting.is_complete():
            self.waiting[key] = waiting
            return
        self.waiting.pop(key, None)
        decoded = self.decode(waiting.encoding, bytes(waiting.held))
        read = self.read(decoded)
        message = Message(part.message_id, sender, read, waiting.amount_msat, decoded)
        if read.content_type == receipt.CONTENT_TYPE:
            self.take_receipt(message)
            return
        self.known[key] = read
        self.messages.append(message)

    def take_receipt(self, message):
        """A receipt is kept with what it is for, and listed once; its own id isn't kept."""
        receipt.check_receipt(message.content, message.sender, self.chain_hash, self.recipient, self.sent)
        receipted = message.content.reply_to_id
        if receipted not in self.receipted:
            self.receipted.add(receipted)
            self.messages.append(message)

    def compare(self, known, part):
        """A repeat of a message that is there: a range is ignored."""
        if len(part.body) < part.message_bytes:
            return
        try:
            is_same = self.read(self.decode(part.encoding, part.body)).is_same_as(known)
        except Broken:
            is_same = False
        check("message-same-content", is_same)

    def decode(self, encoding, data):
        return data if encoding == PLAIN else zstd.decode(data, self.bytes_max)

    def read(self, decoded):
        read = content.read(decoded)
        check("payload-size", len(read.payload) <= self.payload_bytes_max)
        return read
