"""Protobuf messages: read by the strict rules of "Protobuf to the byte", and written as an encoder does.

A schema is a dictionary from a field's number to its name and type: "uint32", "uint64", "enum", "bytes", "string", or
"messages" for a repeated message, whose values are given as bytes.
"""

from .rules import Broken, check

VARINT, EIGHT_BYTES, LENGTH, GROUP, GROUP_END, FOUR_BYTES = range(6)
GROUPS_MAX = 100

TYPES = {
    "uint32": (VARINT, 0),
    "uint64": (VARINT, 0),
    "enum": (VARINT, 0),
    "bytes": (LENGTH, b""),
    "string": (LENGTH, ""),
    "messages": (LENGTH, ()),
}


class Reader:
    """A place in a message's bytes."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def is_at_end(self):
        return self.at == len(self.data)

    def take(self, count):
        check("protobuf-end", count <= len(self.data) - self.at)
        taken = self.data[self.at : self.at + count]
        self.at += count
        return taken

    def varint(self):
        value = 0
        for place in range(10):
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                check("protobuf-varint", value < 2**64)
                return value
        raise Broken("protobuf-varint")

    def key(self):
        """A field's number and wire type."""
        key = self.varint()
        number, wire_type = key >> 3, key & 7
        check("protobuf-key", key < 2**32 and number > 0 and wire_type <= FOUR_BYTES)
        return number, wire_type

    def value(self, wire_type):
        """A value that is no group: a number, or bytes."""
        if wire_type == VARINT:
            return self.varint()
        if wire_type == LENGTH:
            return self.take(self.varint())
        return self.take(8 if wire_type == EIGHT_BYTES else 4)

    def skip(self, number, wire_type, groups_max):
        """Skips an unknown field."""
        check("protobuf-group", wire_type != GROUP_END)
        if wire_type != GROUP:
            self.value(wire_type)
            return
        open_groups = [number]
        while open_groups:
            check("protobuf-group", len(open_groups) <= groups_max and not self.is_at_end())
            number, wire_type = self.key()
            if wire_type == GROUP:
                open_groups.append(number)
            elif wire_type == GROUP_END:
                check("protobuf-group", number == open_groups.pop())
            else:
                # What stands in a group counts as one level deeper.
                check("protobuf-group", len(open_groups) < groups_max)
                self.value(wire_type)


def read(data, schema, groups_max=GROUPS_MAX):
    """Reads a message: a dictionary with a value for each field of the schema."""
    values = {name: TYPES[kind][1] for name, kind in schema.values()}
    reader = Reader(data)
    while not reader.is_at_end():
        number, wire_type = reader.key()
        if number not in schema:
            reader.skip(number, wire_type, groups_max)
            continue
        name, kind = schema[number]
        check("protobuf-type", wire_type == TYPES[kind][0])
        value = typed(kind, reader.value(wire_type))
        values[name] = values[name] + (value,) if kind == "messages" else value
    return values


def typed(kind, value):
    if kind in ("uint32", "enum"):
        return value & 0xFFFF_FFFF
    if kind == "string":
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise Broken("protobuf-string") from None
    return value


def write(values, schema):
    """Writes a message: fields in the order of their numbers, absent where they are empty or 0."""
    return b"".join(
        field(number, value)
        for number, (name, kind) in sorted(schema.items())
        for value in (values[name] if kind == "messages" else [values[name]])
        if value or kind == "messages"
    )


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | LENGTH) + varint(len(data)) + data


def varint(value):
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
