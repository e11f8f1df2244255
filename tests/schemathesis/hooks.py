"""Has generated requests name nodes that exist, so that they come further than a key that is none.

The values are those of the demo that SCHEMATHESIS_DEMO describes. Which one stands in for a generated text depends on
that text alone, so a run with the same seed asks for the same.
"""

import json
import os
import urllib.request
import zlib
from pathlib import Path

import schemathesis

ALICE, BOB = json.loads(Path(os.environ["SCHEMATHESIS_DEMO"]).read_text(encoding="utf-8"))["nodes"]
# The generator point of secp256k1: a valid public key that belongs to no node of the demo.
UNKNOWN_NODE = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
UNKNOWN_ID = "0190163d-8694-739b-aea5-966c26f8ad91"

with urllib.request.urlopen(f"http://{ALICE['http']}/v1/node/channels") as answer:
    CHANNEL = json.load(answer)["channels"][0]

# What stands in for a generated value, by the field's name. `None` leaves what was generated.
#
# A node that is away is rightly answered with 503, and no 5xx is to be seen here: so nobody else than bob is dialled, bob is
# not disconnected, and no channel with him is closed by force, which disconnects him too.
VALUES = {
    "pubkey": [BOB["pubkey"], BOB["pubkey"], BOB["pubkey"], ALICE["pubkey"], UNKNOWN_NODE, None],
    "peerPubkey": [BOB["pubkey"], ALICE["pubkey"], UNKNOWN_NODE, None],
    "replyToId": ["", UNKNOWN_ID, None],
    "id": [UNKNOWN_ID, None],
    "channelId": ["00" * 32, "1", None],
    "force": [False],
    "amount": [0, 1, 5, 100_000_000, None],
    "amountSat": [0, 1, 5, 100_000_000, None],
    "capacitySat": [20_000, 25_000, 1, None],
    "pushSat": [0, 1_000, None],
    "pageSize": [0, 1, 500, None],
}
DIALLED = VALUES | {"pubkey": [BOB["pubkey"], ALICE["pubkey"], "02", None], "address": [BOB["lightning"]]}
BY_PATH = {
    "/v1/node/peers": DIALLED,
    "/v1/node/channels": DIALLED,
    "/v1/node/peers/{pubkey}": VALUES | {"pubkey": [ALICE["pubkey"], UNKNOWN_NODE, None]},
}

# What a request needs to come as far as the node: it is added where it was left out. No schema says so, since protobuf
# has no required fields.
NEEDED = {
    "/v1/message/send": {"msg": "hello", "pubkey": BOB["pubkey"]},
    "/v1/messages": {"pubkey": BOB["pubkey"]},
    "/v1/node/peers": {"pubkey": BOB["pubkey"], "address": BOB["lightning"]},
    "/v1/node/channels": {"pubkey": BOB["pubkey"], "address": BOB["lightning"], "capacitySat": 25_000},
}


def kind(value):
    """What a value is in JSON: a whole number is not a bool."""
    return "number" if isinstance(value, int) and not isinstance(value, bool) else type(value).__name__


def choose(values, generated):
    """One of the values, always the same for the same generated one; a number that is out of range on purpose stays."""
    if isinstance(generated, int) and not 0 <= generated < 2**31:
        return generated
    value = values[zlib.crc32(repr(generated).encode()) % len(values)]
    return value if kind(value) == kind(generated) else generated


def known(context, container):
    """A generated object with known values in place of those that have the right type."""
    if not isinstance(container, dict):
        return container
    values = BY_PATH.get(context.operation.path, VALUES)
    return {name: choose(values[name], value) if name in values else value for name, value in container.items()}


@schemathesis.hook
def map_body(context, body):
    body = known(context, body)
    if not isinstance(body, dict):
        return body
    needed = NEEDED.get(context.operation.path, {})
    if context.operation.path == "/v1/messages" and "body" not in body:
        needed = {"text": "hello"} | needed
    return needed | body


@schemathesis.hook
def map_query(context, query):
    return known(context, query)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Keeps the demo's channel, which carries the messages: ids that an answer gave are tried too, later in the run."""
    if case.path_parameters.get("channelId") in (CHANNEL["channelId"], CHANNEL["userChannelId"]):
        case.path_parameters["channelId"] = "00" * 32


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    return known(context, path_parameters)
