"""Has generated requests name nodes that exist, so that they come further than a key that is none.

The values are those of the demo that SCHEMATHESIS_DEMO describes. Which one stands in for a generated text depends on
that text alone, so a run with the same seed asks for the same.
"""

import json
import os
import re
import urllib.request
import zlib
from pathlib import Path

import schemathesis

ALICE, BOB = json.loads(Path(os.environ["SCHEMATHESIS_DEMO"]).read_text(encoding="utf-8"))["nodes"]
# The generator point of secp256k1: a valid public key that belongs to no node of the demo.
UNKNOWN_NODE = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
NODE_ID = re.compile("0[23][0-9a-fA-F]{64}")
UNKNOWN_ID = "0190163d-8694-739b-aea5-966c26f8ad91"



def ask(node, path, body=None):
    """A node's answer to a GET, or to a POST of a body."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"http://{node['http']}{path}", data) as answer:
        return json.load(answer)


CHANNEL = ask(ALICE, "/v1/node/channels")["channels"][0]
INVOICES = [ask(BOB, "/v1/node/invoices", {"amountSat": sat})["invoice"] for sat in (1, 2, 3, 1_000_000_000)]
SIGNED = ask(BOB, "/v1/node/sign", {"text": "hello"})["signature"]
ADDRESS = ask(BOB, "/v1/node/addresses", {})["address"]

# What stands in for a generated value, by the field's name. `None` leaves what was generated.
#
# Beside these the run takes values from answers that it has seen: see before_call.
VALUES = {
    "pubkey": [*[BOB["pubkey"]] * 6, ALICE["pubkey"], UNKNOWN_NODE, None],
    "peerPubkey": [BOB["pubkey"], BOB["pubkey"], ALICE["pubkey"], UNKNOWN_NODE, "unsigned", None],
    "query": ["hello", "hel*", "hello from", None],
    "upToId": ["", UNKNOWN_ID, None],
    "expiresInSeconds": [1, 3_600, 604_800, None],
    # Under one key a second message is refused: few have one.
    "idempotencyKey": ["", "", "", None],
    "replyToId": ["", UNKNOWN_ID, None],
    "id": [UNKNOWN_ID, None],
    "channelId": ["00" * 32, "1", None],
    "feeRateSatPerVb": [1, 5, None],
    "invoice": [*INVOICES, None],
    "signature": [SIGNED, None],
    "amount": [0, 1, 5, 100_000_000, None],
    "amountSat": [0, 1, 5, 100_000_000, None],
    "capacitySat": [20_000, 25_000, 1, None],
    "pushSat": [0, 1_000, None],
    "count": [0, 1, 2, 5, None],
    "pageSize": [0, 1, 500, None],
}
BY_PATH = {
    "/v1/node/onchain": VALUES | {"address": [ADDRESS, ADDRESS, None], "amountSat": [1_000, 10_000, None], "all": [False]},
}

# What a request needs to come as far as the node: it is added where it was left out. No schema says so, since protobuf
# has no required fields.
NEEDED = {
    "/v1/message/send": {"msg": "hello", "pubkey": BOB["pubkey"]},
    "/v1/messages": {"pubkey": BOB["pubkey"]},
    "/v1/messages/quote": {"pubkey": BOB["pubkey"]},
    "/v1/lightning/payinvoice": {"invoice": INVOICES[0]},
    "/v1/lightning/checkinvoice": {"invoice": INVOICES[0]},
    "/v1/node/payments": {"invoice": INVOICES[1]},
    "/v1/node/onchain": {"address": ADDRESS, "amountSat": 1_000},
    "/v1/verify": {"msg": "hello", "signature": SIGNED},
    "/v1/node/verify": {"text": "hello", "signature": SIGNED},
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
    if context.operation.path in ("/v1/messages", "/v1/messages/quote") and "body" not in body:
        needed = {"text": "hello"} | needed
    return needed | body


@schemathesis.hook
def map_query(context, query):
    query = known(context, query)
    if context.operation.path == "/v1/messages/search" and isinstance(query, dict):
        return {"query": "hello"} | query
    return query


@schemathesis.hook
def before_call(context, case, kwargs):
    """Keeps the demo as it is, whatever an answer gave to try.

    A node that is away is rightly answered with 503, and no 5xx is to be seen here: so nobody else than bob is dialled, he is
    not disconnected, no channel with him is closed by force, which disconnects him too, and the demo's own channel, which
    carries the messages, isn't closed.
    """
    path, body = case.path_parameters, case.body
    if path.get("pubkey") == BOB["pubkey"]:
        path["pubkey"] = UNKNOWN_NODE
    if path.get("channelId") in (CHANNEL["channelId"], CHANNEL["userChannelId"]):
        path["channelId"] = "00" * 32
    if not isinstance(body, dict):
        return
    if body.get("force") is True:
        body["force"] = False
    if case.operation.path in ("/v1/node/peers", "/v1/node/channels"):
        if NODE_ID.fullmatch(str(body.get("pubkey"))) and body["pubkey"] != ALICE["pubkey"]:
            body["pubkey"] = BOB["pubkey"]
        if isinstance(body.get("address"), str):
            body["address"] = BOB["lightning"]


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    return known(context, path_parameters)
