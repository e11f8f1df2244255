"""The Python implementation of docs/protocol.md against data/vectors: reads each valid one, refuses each hostile one for the
rule that it breaks, and writes what is written in one way only to the same bytes.

Usage: vectors.py. Each test is a function whose name is the promise that it checks; the last line is `N passed, M failed`.
"""

import json
import re
import sys
import traceback
from pathlib import Path

from boltgram_wire import content, frame, receipt, record, rules, signature, zstd
from boltgram_wire.content import Content
from boltgram_wire.frame import Part
from boltgram_wire.inbox import Inbox
from boltgram_wire.receipt import Sent

TOP = Path(__file__).parents[2]
SENDER, RECIPIENT, OTHER = (bytes([byte]) * 32 for byte in (0x11, 0x22, 0x33))
SECRETS = {signature.public_key(secret): secret for secret in (SENDER, RECIPIENT, OTHER)}


def load(name):
    file = json.loads((TOP / "data" / "vectors" / name).read_text(encoding="utf-8"))
    assert file["format"] == "boltgram wire v1", file["format"]
    assert len(file["vectors"]) >= 40, len(file["vectors"])
    return file["vectors"]


def inbox_of(vector):
    sent = {
        bytes.fromhex(message["id"]): Sent(bytes.fromhex(message["to"]), bytes.fromhex(message["content"]))
        for message in vector.get("sent", [])
    }
    return Inbox(bytes.fromhex(vector["chain_hash"]), bytes.fromhex(vector["recipient"]), sent)


def receive(inbox, payment):
    return inbox.receive(bytes.fromhex(payment["record"]), payment["amount_msat"])


def listed(message):
    """A message as a vector lists it."""
    return {
        "id": message.id and message.id.hex(),
        "sender": message.sender and message.sender.hex(),
        "content_type": message.content.content_type,
        "reply_to_id": message.content.reply_to_id.hex() or None,
        "payload": message.content.payload.hex(),
        "amount_msat": message.amount_msat,
        "flags": message.content.flags,
    }


def has_its_messages(inbox, vector):
    read = [listed(message) for message in inbox.messages]
    assert read == vector["messages"], f"{vector['name']}: {read}"


def test_every_valid_vector_gives_the_messages_that_it_lists():
    for vector in load("valid.json"):
        inbox = inbox_of(vector)
        for payment in vector["payments"]:
            refusal = receive(inbox, payment)
            assert refusal is None, f"{vector['name']} breaks {refusal}"
        has_its_messages(inbox, vector)


def test_every_hostile_vector_is_refused_for_the_rule_that_it_breaks():
    for vector in load("hostile.json"):
        inbox = inbox_of(vector)
        *before, last = vector["payments"]
        refusals = [receive(inbox, payment) for payment in before]
        assert refusals == [None] * len(before), f"{vector['name']}: {refusals} before the last payment"
        refusal = receive(inbox, last)
        assert refusal, f"{vector['name']} is taken"
        assert (refusal.rule, refusal.reason) == (vector["rule"], vector["reason"]), f"{vector['name']}: {refusal}"
        has_its_messages(inbox, vector)


def test_the_rules_are_those_of_the_page_and_each_is_broken():
    page = (TOP / "docs" / "protocol.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \| .* \| `([A-Z_]+)` \|$", page, re.MULTILINE))
    assert rows == rules.REASONS, set(rows.items()) ^ set(rules.REASONS.items())
    assert {vector["rule"] for vector in load("hostile.json")} == set(rows)


def written(vector):
    """The record of a canonical vector, written and signed from its messages."""
    chain_hash, recipient = bytes.fromhex(vector["chain_hash"]), bytes.fromhex(vector["recipient"])
    messages = vector["messages"]
    if messages[0]["sender"] is None:
        return bytes.fromhex(messages[0]["payload"])
    parts = [part_of(message, len(messages) > 1) for message in messages]
    return record.write(SECRETS[bytes.fromhex(messages[0]["sender"])], chain_hash, recipient, parts)


def part_of(message, names_amount):
    said = Content(
        bytes.fromhex(message["payload"]),
        message["content_type"],
        bytes.fromhex(message["reply_to_id"] or ""),
        message["flags"],
    )
    amount_msat = message["amount_msat"] if names_amount else 0
    return Part(bytes.fromhex(message["id"]), content.write(said), amount_msat=amount_msat)


def test_what_is_written_in_one_way_only_is_written_to_the_same_bytes():
    vectors = [vector for vector in load("valid.json") if vector["canonical"]]
    assert len(vectors) >= 30, len(vectors)
    for vector in vectors:
        [payment] = vector["payments"]
        assert written(vector).hex() == payment["record"], vector["name"]


def test_a_message_of_every_valid_vector_is_read_as_written_by_this_implementation():
    for vector in load("valid.json"):
        signed = [message for message in vector["messages"] if message["sender"]]
        for message in signed:
            for encoding in (frame.PLAIN, frame.ZSTD):
                reads_back(vector, message, encoding)


def reads_back(vector, message, encoding):
    """Writes a message anew, in three overlapping ranges from the last to the first."""
    inbox, part = inbox_of(vector), part_of(message, False)
    body = zstd.encode(part.body) if encoding == frame.ZSTD else part.body
    third = max(1, len(body) // 3)
    # Nobody has the key of a sender that the vectors were searched for.
    secret = SECRETS.get(bytes.fromhex(message["sender"]), SENDER)
    for start in reversed(range(0, len(body), third)):
        piece = Part(part.message_id, body[start : start + third + 1], start, len(body), 0, encoding)
        data = record.write(secret, inbox.chain_hash, inbox.recipient, [piece])
        assert inbox.receive(data, 1_000) is None, vector["name"]
    [read] = inbox.messages
    assert (read.id, read.content, read.sender) == (part.message_id, content.read(part.body), signature.public_key(secret))


def test_a_receipt_is_written_to_the_same_bytes():
    [vector] = [vector for vector in load("valid.json") if vector["name"] == "receipt"]
    [message] = vector["messages"]
    inbox, proof = inbox_of(vector), content.read(part_of(message, False).body)
    [(message_id, sent)] = inbox.sent.items()
    assert receipt.write(SENDER, inbox.chain_hash, inbox.recipient, message_id, sent.content_bytes) == proof


def run():
    tests = {name: test for name, test in globals().items() if name.startswith("test_")}
    failed = 0
    for name, test in tests.items():
        try:
            test()
            print(f"{name} ... ok", flush=True)
        except Exception:  # What it is doesn't matter: the test failed, and the others still run.
            failed += 1
            print(f"{name} ... FAILED", flush=True)
            traceback.print_exc()
    print(f"{len(tests) - failed} passed, {failed} failed", flush=True)
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(run())
