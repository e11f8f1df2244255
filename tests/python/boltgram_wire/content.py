"""Messages as they stand in the joined, decoded bytes."""

from dataclasses import dataclass

from . import protobuf
from .frame import is_message_id
from .rules import CONTENT_TYPE_BYTES_MAX, check

TEXT = "text/plain"
ASKS_FOR_RECEIPT = 1

CONTENT = {
    1: ("content_type", "string"),
    2: ("reply_to_id", "bytes"),
    3: ("payload", "bytes"),
    4: ("flags", "uint32"),
}


@dataclass
class Content:
    """A message's content; the type is spelt out, and no reply-to id is empty."""

    payload: bytes
    content_type: str = TEXT
    reply_to_id: bytes = b""
    flags: int = 0

    def is_same_as(self, other):
        """Whether a repeat of the message has the same content."""

        def compared(content):
            asks = content.flags & ASKS_FOR_RECEIPT
            return content.content_type, content.payload, content.reply_to_id, asks

        return compared(self) == compared(other)


def is_content_type(text):
    kind, slash, rest = text.partition("/")
    return (
        bool(kind and slash and rest)
        and " " not in kind
        and not rest.startswith(" ")
        and len(text) <= CONTENT_TYPE_BYTES_MAX
        and all(" " <= letter <= "~" for letter in text)
    )


def is_utf_8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def read(data):
    """Reads a content and checks its rules."""
    values = protobuf.read(data, CONTENT)
    content = Content(**{**values, "content_type": values["content_type"] or TEXT})
    check("content-has-payload", content.payload)
    check("content-type", is_content_type(content.content_type))
    check("content-text", content.content_type != TEXT or is_utf_8(content.payload))
    check("content-reply-to-id", not content.reply_to_id or is_message_id(content.reply_to_id))
    return content


def write(content):
    """Writes a content: a text's type is left out."""
    content_type = "" if content.content_type == TEXT else content.content_type
    return protobuf.write({**vars(content), "content_type": content_type}, CONTENT)
