"""Messages between a running node and the Python implementation of docs/protocol.md, over a carrier that knows only payments.

Usage: exchange.py FILE, where FILE is what `boltgram demo --keep-running --json FILE` wrote. Each test is a function whose
name is the promise that it checks; the last line is `N passed, M failed`.
"""

import base64
import json
import random
import secrets
import socket
import sys
import tempfile
import time
import traceback
import urllib.request
import uuid
from pathlib import Path

from boltgram_wire import content, receipt, record, zstd
from boltgram_wire.content import ASKS_FOR_RECEIPT, Content
from boltgram_wire.frame import PLAIN, ZSTD, Part
from boltgram_wire.inbox import Inbox
from boltgram_wire.receipt import Sent
from carrier import Carrier

WAIT_SECONDS = 60
CALL_SECONDS = 60
CAPACITY_SAT, PUSH_SAT = 500_000, 200_000
# BOLT 0: regtest's genesis block.
CHAIN_HASH = bytes.fromhex("06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f")
# What fits into a record to a direct peer beside the rest of its frame.
RANGE_BYTES = 1_000


def call(url, body=None):
    """The JSON that a GET answers, or a POST of this body."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=CALL_SECONDS) as answer:
        return json.load(answer)


def eventually(what, look):
    """Looks again and again until there is something."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {WAIT_SECONDS} s")


def free_address():
    """A loopback address below the ports that outgoing connections take."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) != 0:
                return f"127.0.0.1:{port}"


def new_id():
    """A UUID version 7 of now. The tests write one message after the other, a millisecond or more apart."""
    time.sleep(0.001)
    number = int(time.time() * 1_000) << 80 | secrets.randbits(80)
    return (number & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62).to_bytes(16, "big")


class World:
    """Alice, a real node, and a carrier with a channel between them."""

    def __init__(self, description, folder):
        self.esplora = description["esplora"]
        self.alice = next(node for node in description["nodes"] if node["name"] == "alice")
        self.alice_id = bytes.fromhex(self.alice["pubkey"])
        self.carrier = Carrier(self.esplora, free_address(), folder)
        self.inbox = Inbox(CHAIN_HASH, self.carrier.node_id)
        address = self.api("node/addresses", {})["address"]
        for address in (address, self.carrier.onchain_address):
            call(f"{self.esplora}/devnet/fund", {"address": address, "amount_sat": 1_000_000})
        self.mine(1)
        eventually("the carrier has coins", lambda: self.carrier.sync()["onchain_sat"])
        self.open_channel()

    def api(self, path, body=None):
        return call(f"http://{self.alice['http']}/v1/{path}", body)

    def mine(self, blocks):
        call(f"{self.esplora}/devnet/mine", {"blocks": blocks})
        self.api("node/sync", {})

    def open_channel(self):
        opening = {
            "pubkey": self.carrier.node_id.hex(),
            "address": self.carrier.listen,
            "capacity_sat": CAPACITY_SAT,
            "push_sat": PUSH_SAT,
        }
        self.api("node/channels", opening)

        def is_usable():
            self.mine(1)
            synced = self.carrier.sync()
            channels = self.api("node/channels")["channels"]
            mine = [each for each in channels if each["pubkey"] == self.carrier.node_id.hex()]
            return synced["usable_channels"] and mine and mine[0]["usable"]

        eventually("the channel is usable", is_usable)

    def send(self, parts, amount_msat=1_000):
        """Sends a frame of these parts in a payment."""
        data = record.write(self.carrier.secret, CHAIN_HASH, self.alice_id, parts)
        self.carrier.send(self.alice_id, data, amount_msat)

    def send_whole(self, written, **fields):
        """Sends a message in one payment, and gives its id in text form."""
        message_id, body = new_id(), content.write(written)
        self.inbox.sent[message_id] = Sent(self.alice_id, body)
        self.send([Part(message_id, body, **fields)])
        return str(uuid.UUID(bytes=message_id))

    def at_alice(self, identifier):
        """A message as alice shows it, once she has it."""

        def look():
            peer = self.carrier.node_id.hex()
            listed = self.api(f"messages?peerPubkey={peer}&direction=DIRECTION_IN&pageSize=500")["messages"]
            return next((message for message in listed if message["id"] == identifier), None)

        return eventually(f"alice has {identifier}", look)

    def send_from_alice(self, **fields):
        """Sends a message to the carrier, and gives it as alice has it."""
        return self.api("messages", {"pubkey": self.carrier.node_id.hex(), **fields})["message"]

    def next_message(self):
        """The next message that arrives here, and how many payments it took."""
        before, payments = len(self.inbox.messages), 0
        while len(self.inbox.messages) == before:
            data, amount_msat = self.carrier.next_record()
            payments += 1
            refusal = self.inbox.receive(data, amount_msat)
            assert refusal is None, f"it breaks {refusal}"
        return self.inbox.messages[-1], payments


def is_signed(world, shown):
    assert shown["peerPubkey"] == world.carrier.node_id.hex(), shown
    assert shown["authenticity"] == "AUTHENTICITY_SIGNED", shown


def test_a_node_shows_a_message_of_this_implementation_as_signed(world):
    text = "grüezi 👋 from Python"
    shown = world.at_alice(world.send_whole(Content(text.encode())))
    is_signed(world, shown)
    assert (shown["text"], shown["contentType"]) == (text, "text/plain"), shown
    assert int(shown["amountMsat"]) == 1_000, shown


def test_a_node_takes_another_content_type_and_a_reply(world):
    sent = world.send_from_alice(text="what does it look like?")
    world.next_message()
    picture = bytes(range(256))
    answered = uuid.UUID(sent["id"]).bytes
    shown = world.at_alice(world.send_whole(Content(picture, "image/png", answered)))
    is_signed(world, shown)
    assert (shown["contentType"], shown["replyToId"]) == ("image/png", sent["id"]), shown
    assert base64.b64decode(shown["body"]) == picture, shown


def test_a_node_joins_a_long_message_from_several_payments(world):
    text = "".join(f"line {line} of a long letter\n" for line in range(150))
    body, message_id = content.write(Content(text.encode())), new_id()
    starts = range(0, len(body), RANGE_BYTES)
    assert len(starts) > 3, len(body)
    # From the last to the first, each a little into the next one.
    for start in reversed(starts):
        world.send([Part(message_id, body[start : start + RANGE_BYTES + 20], start, len(body))])
    shown = world.at_alice(str(uuid.UUID(bytes=message_id)))
    is_signed(world, shown)
    assert shown["text"] == text, shown
    assert int(shown["amountMsat"]) == 1_000 * len(starts), shown


def test_a_node_takes_compressed_messages_and_several_in_one_payment(world):
    texts = ["again and again, " * 100, "short"]
    ids = [new_id(), new_id()]
    bodies = [content.write(Content(text.encode())) for text in texts]
    parts = [
        Part(ids[0], zstd.encode(bodies[0]), encoding=ZSTD, amount_msat=400),
        Part(ids[1], bodies[1], encoding=PLAIN, amount_msat=600),
    ]
    world.send(parts)
    for message_id, text, amount_msat in zip(ids, texts, (400, 600)):
        shown = world.at_alice(str(uuid.UUID(bytes=message_id)))
        is_signed(world, shown)
        assert (shown["text"], int(shown["amountMsat"])) == (text, amount_msat), shown


def test_a_node_puts_aside_what_is_signed_for_another(world):
    part = Part(new_id(), content.write(Content(b"not for you")))
    data = record.write(world.carrier.secret, CHAIN_HASH, world.carrier.node_id, [part])
    before = held(world, "SIGNATURE")
    world.carrier.send(world.alice_id, data, 1_000)
    eventually("it is put aside", lambda: held(world, "SIGNATURE") == before + 1)


def held(world, reason):
    counts = {each["reason"]: int(each["payments"]) for each in world.api("messages/held")["counts"]}
    return counts.get(reason, 0)


def test_a_message_of_a_node_is_read_and_verified(world):
    asked = uuid.UUID(world.at_alice(world.send_whole(Content(b"well?")))["id"])
    sent = world.send_from_alice(text="well, here I am 日本", replyToId=str(asked))
    message, payments = world.next_message()
    assert (message.sender, str(uuid.UUID(bytes=message.id))) == (world.alice_id, sent["id"])
    assert message.content == Content("well, here I am 日本".encode(), reply_to_id=asked.bytes)
    assert (message.amount_msat, payments) == (1_000, 1)


def test_a_long_message_of_a_node_is_joined_and_verified(world):
    body = random.Random(7).randbytes(5_000)
    fields = {"body": base64.b64encode(body).decode(), "contentType": "application/octet-stream"}
    sent = world.send_from_alice(**fields)
    message, payments = world.next_message()
    assert (message.sender, str(uuid.UUID(bytes=message.id))) == (world.alice_id, sent["id"])
    assert message.content == Content(body, "application/octet-stream")
    assert payments > 4 and message.amount_msat == 1_000 * payments, (payments, message.amount_msat)


def test_a_compressed_message_of_a_node_is_read(world):
    text = "the same, and then the same again; " * 300
    sent = world.send_from_alice(text=text)
    message, payments = world.next_message()
    assert str(uuid.UUID(bytes=message.id)) == sent["id"]
    assert (message.content, payments) == (Content(text.encode()), 1)


def test_a_node_gives_a_receipt_that_holds(world):
    identifier = world.send_whole(Content(b"did it arrive?", flags=ASKS_FOR_RECEIPT))
    message, payments = world.next_message()
    # That it is alice's, for what was sent to her, the inbox has checked.
    assert (message.sender, message.content.content_type) == (world.alice_id, receipt.CONTENT_TYPE)
    assert str(uuid.UUID(bytes=message.content.reply_to_id)) == identifier
    assert payments == 1


def test_a_node_takes_a_receipt_of_this_implementation_and_no_other(world):
    sent = world.send_from_alice(text="did it arrive?", receipt=True)
    message, _ = world.next_message()
    assert message.content.flags == ASKS_FOR_RECEIPT, message.content
    asked = [world.alice_id, message.id]
    before = held(world, "RECEIPT")
    wrong = receipt.write(world.carrier.secret, CHAIN_HASH, *asked, content.write(Content(b"something else")))
    world.send_whole(wrong)
    eventually("a receipt for another content is put aside", lambda: held(world, "RECEIPT") == before + 1)
    assert not state(world, sent).get("receipt"), "it doesn't count"
    world.send_whole(receipt.write(world.carrier.secret, CHAIN_HASH, *asked, message.content_bytes))
    shown = eventually("alice has the receipt", lambda: state(world, sent).get("receipt"))
    assert state(world, sent)["state"] == "STATE_RECEIVED", shown


def state(world, sent):
    return world.api(f"messages/{sent['id']}")["message"]


def run(description, folder):
    world = World(description, folder)
    tests = {name: test for name, test in globals().items() if name.startswith("test_")}
    failed = 0
    for name, test in tests.items():
        began = time.monotonic()
        try:
            test(world)
            print(f"{name} ... ok ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:  # What it is doesn't matter: the test failed, and the others still run.
            failed += 1
            print(f"{name} ... FAILED", flush=True)
            traceback.print_exc()
    world.carrier.stop()
    print(f"{len(tests) - failed} passed, {failed} failed", flush=True)
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: exchange.py FILE")
    with tempfile.TemporaryDirectory() as carrier_folder:
        sys.exit(run(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), carrier_folder))
