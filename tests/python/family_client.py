"""A client of the API family, in another language and with stubs of its own protos, against running nodes.

Usage: family_client.py FILE, where FILE is what `boltgram demo --keep-running --json FILE` wrote. It starts nothing
itself. Each test is a function whose name is the promise that it checks; the last line is `N passed, M failed`.
"""

import importlib
import json
import queue
import sys
import tempfile
import threading
import time
import traceback
import uuid
from pathlib import Path

import grpc
from grpc_tools import protoc

CALL_SECONDS = 60
ARRIVAL_SECONDS = 30
# The generator point of secp256k1: a valid public key that belongs to no node of the demo.
UNKNOWN_NODE = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"


def generate_stubs(directory):
    """Makes Python modules of the protos beside this file and makes them importable."""
    protos = Path(__file__).parent / "proto"
    arguments = ["protoc", f"-I{protos}", f"--python_out={directory}", f"--grpc_python_out={directory}"]
    code = protoc.main(arguments + [str(path) for path in sorted(protos.glob("*.proto"))])
    assert code == 0, f"protoc ended with {code}"
    sys.path.insert(0, str(directory))
    names = ["messaging_pb2", "messaging_pb2_grpc", "websocket_pb2", "websocket_pb2_grpc"]
    return [importlib.import_module(name) for name in names]


class Listener:
    """Follows what a node receives, from the moment that this is made."""

    def __init__(self, channel):
        self.arrived = queue.Queue()
        self.call = websocket_grpc.WebsocketStub(channel).Subscribe(websocket.SubscribeRequest())
        # The headers arrive when the node has begun to stream; a message sent later isn't missed.
        headers = threading.Thread(target=self.call.initial_metadata, daemon=True)
        headers.start()
        headers.join(CALL_SECONDS)
        assert not headers.is_alive(), "Subscribe sent no headers"
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for message in self.call:
                self.arrived.put(message)
        except grpc.RpcError:
            pass  # The stream was cancelled; whoever waits for a message finds that it doesn't come.

    def next(self):
        """The next message that arrives."""
        try:
            return self.arrived.get(timeout=ARRIVAL_SECONDS)
        except queue.Empty:
            raise AssertionError(f"nothing arrived within {ARRIVAL_SECONDS} s") from None

    def close(self):
        self.call.cancel()


class Nodes:
    """The demo's two nodes, and the ways to reach them."""

    def __init__(self, description):
        by_name = {node["name"]: node for node in description["nodes"]}
        self.alice, self.bob = by_name["alice"], by_name["bob"]
        self.alice_channel = grpc.insecure_channel(self.alice["grpc"])
        self.bob_channel = grpc.insecure_channel(self.bob["grpc"])
        self.messaging = messaging_grpc.MessagingStub(self.alice_channel)

    def send(self, text, pubkey=None, **fields):
        """Sends from alice, to bob if nobody else is named; gives the id."""
        request = messaging.SendMessageRequest(msg=text, pubkey=pubkey or self.bob["pubkey"], **fields)
        return self.messaging.SendMessage(request, timeout=CALL_SECONDS).id

    def refusal(self, text, **fields):
        """The status code that a send is refused with."""
        try:
            identifier = self.send(text, **fields)
        except grpc.RpcError as error:
            assert error.details(), "a refusal says what is wrong"
            return error.code()
        raise AssertionError(f"it was not refused but sent as {identifier}")


def test_a_message_arrives_with_the_id_that_its_sender_got(nodes, listener):
    identifier = nodes.send("hello bob")
    assert str(uuid.UUID(identifier)) == identifier, identifier
    message = listener.next()
    assert message.id == identifier, (message.id, identifier)
    assert message.from_pubkey == nodes.alice["pubkey"], message.from_pubkey
    assert message.data == "hello bob", message.data
    assert message.service_type == "message", message.service_type
    assert message.amount == 1, message.amount
    assert message.reply_to_id == "", message.reply_to_id


def test_the_amount_that_is_asked_for_goes_along(nodes, listener):
    for asked, sent in [(0, 1), (1, 1), (5, 5), (1000, 1000)]:
        identifier = nodes.send(f"with {asked} sat", amount=asked)
        message = listener.next()
        assert (message.id, message.amount) == (identifier, sent), (asked, message)


def test_every_character_arrives_as_it_was_sent(nodes, listener):
    for text in ["grüezi 👋 日本語 עברית", "two\nlines\tand a tab", " spaces around ", "\u0000 nul", '{"json": "1"}']:
        identifier = nodes.send(text)
        message = listener.next()
        assert (message.id, message.data) == (identifier, text), (text, message)


def test_each_of_many_messages_arrives_once(nodes, listener):
    sent = [nodes.send(f"number {number}") for number in range(10)]
    arrived = [listener.next().id for _ in sent]
    assert sorted(arrived) == sorted(sent), (sent, arrived)
    assert sent == sorted(sent), "ids stand in the order of sending"
    # One more, so that a second copy of any of them would have come before it.
    last = nodes.send("the last")
    assert listener.next().id == last


def test_two_listeners_see_the_same(nodes, listener):
    other = Listener(nodes.bob_channel)
    identifier = nodes.send("to both")
    assert listener.next().id == identifier
    assert other.next().id == identifier
    other.close()


def test_a_wrong_request_is_an_invalid_argument(nodes, listener):
    wrong = grpc.StatusCode.INVALID_ARGUMENT
    assert nodes.refusal("hello", pubkey="not a key") == wrong
    assert nodes.refusal("hello", pubkey="02" + "ff" * 32) == wrong
    assert nodes.refusal("hello", pubkey=nodes.alice["pubkey"]) == wrong
    assert nodes.refusal("") == wrong
    assert nodes.refusal("hello", amount=-1) == wrong
    assert nodes.refusal("hello", amount=2**63 - 1) == wrong


def test_an_unknown_node_is_not_found(nodes, listener):
    assert nodes.refusal("hello", pubkey=UNKNOWN_NODE) == grpc.StatusCode.NOT_FOUND


def run(description):
    nodes = Nodes(description)
    tests = {name: test for name, test in globals().items() if name.startswith("test_")}
    passed = 0
    for name, test in tests.items():
        began = time.monotonic()
        listener = Listener(nodes.bob_channel)
        try:
            test(nodes, listener)
            passed += 1
            print(f"{name} ... ok ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:  # What it is doesn't matter: the test failed, and the others still run.
            print(f"{name} ... FAILED", flush=True)
            traceback.print_exc()
        finally:
            listener.close()
    failed = len(tests) - passed
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: family_client.py FILE")
    with tempfile.TemporaryDirectory() as stubs:
        messaging, messaging_grpc, websocket, websocket_grpc = generate_stubs(Path(stubs))
        sys.exit(run(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
