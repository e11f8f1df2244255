"""Writes the first inputs of each fuzz target into the corpus folders: `seeds.py CORPUS`, from the repository's top.

The records of data/vectors/ give those of the wire format. What the first bytes of an input mean stands at the top of
each target.
"""

import hashlib
import json
import pathlib
import sys

HEADER_BYTES = 66

# Which bytes begin an input: for each way to use the rest.
WAYS = {"record": 5, "decompression": 6, "json": 4, "esplora": 6}

BODIES = [
    "{}",
    '{"msg":"hi","pubkey":"02ab","amount":"7","replyToId":""}',
    '{"msg":"hi","pubkey":"02ab","amount":7,"reply_to_id":null,"more":[{}]}',
    '{"text":"hi","pubkey":"02ab","feeLimitSat":"3","queue":true,"expiresInSeconds":9}',
    '{"body":"aGk=","contentType":"text/plain","replyToId":"0190163d-8694-739b-aea5-966c26f8ad91"}',
    '{"amountMsat":"18446744073709551615","description":"é\\u0000"}',
    '{"addresses":["127.0.0.1:1"],"direction":"DIRECTION_IN","state":3}',
]
QUERIES = ["", "pageSize=5&page_token=x", "direction=DIRECTION_OUT&peer=unsigned", "afterSequence=-1", "query=hel*&a.b=%ff"]

HASH = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
STATUS = '{"confirmed":true,"block_height":1,"block_hash":"%s","block_time":7}' % HASH
OUTPUT = '{"value":5,"scriptpubkey":"0014%s"}' % ("11" * 20)
INPUT = (
    '{"txid":"%s","vout":0,"prevout":%s,"scriptsig":"","witness":["aa",""],"sequence":4294967295,"is_coinbase":false}'
    % (HASH, OUTPUT)
)
TX = '{"txid":"%s","version":2,"locktime":0,"vin":[%s],"vout":[%s],"size":9,"weight":36,"status":%s,"fee":1}' % (
    HASH, INPUT, OUTPUT, STATUS
)
RAW_TX = "0200000000010111" + "11" * 31 + "00000000" + "00" + "fdffffff" + "01" + "0500000000000000" + "160014" + "22" * 20
RAW_TX += "02" + "01aa" + "02bbcc" + "00000000"
COINBASE = "01000000" + "01" + "00" * 32 + "ffffffff" + "0151" + "ffffffff" + "01" + "00f2052a01000000" + "0151" + "00000000"
ANSWERS = [
    HASH.encode(),
    b'{"1":87.882,"2":1,"144":1e2}',
    TX.encode(),
    STATUS.encode(),
    b'{"spent":true,"txid":"%s","vin":0,"status":%s}' % (HASH.encode(), STATUS.encode()),
    b'{"in_best_chain":true,"height":1,"next_best":null}',
    bytes.fromhex(RAW_TX),
    bytes.fromhex(COINBASE),
    RAW_TX.encode(),
    # A block's header, then one transaction's proof.
    bytes.fromhex("01000000" + "00" * 68 + "ffff7f20" + "00000000" + "01000000" + "01" + "11" * 32 + "0101"),
]


def records():
    for name in ("valid", "hostile"):
        path = pathlib.Path("data/vectors") / f"{name}.json"
        if not path.exists():
            continue
        for vector in json.loads(path.read_text())["vectors"]:
            for payment in vector["payments"]:
                yield bytes.fromhex(payment["record"])


def bodies(frame):
    """The fields of type bytes in a protobuf message, and those in these: the bodies of a frame's parts, among others."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while at < len(frame):
            byte = frame[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        return value

    while at < len(frame):
        tag = varint()
        if tag & 7 == 0:
            varint()
        elif tag & 7 == 2:
            length = varint()
            body, at = frame[at : at + length], at + length
            yield body
            if tag >> 3 == 1:
                yield from bodies(body)
        else:
            return


def seeds():
    for record in records():
        frame = record[HEADER_BYTES:]
        yield "record", b"\0" + record
        for way in range(1, WAYS["record"]):
            yield "record", bytes([way]) + frame
        yield "frame", frame
        for body in bodies(frame):
            yield "frame", body
            for way in range(WAYS["decompression"]):
                yield "decompression", bytes([way, 3, 2]) + body
    for route in range(64):
        for number, body in enumerate(BODIES):
            query = QUERIES[(route + number) % len(QUERIES)]
            yield "json", bytes([route, 2 + number % 2]) + f"x\n{query}\n{body}".encode()
        yield "json", bytes([route, 0]) + b"\x0a\x02hi\x10\x07"
    for path in ("/v1/messages/%2e", "POST /v1/message/send", "DELETE /v1/messages/x?wait=true", "/%ff?=&"):
        yield "json", b"\0\1" + path.encode()
    for answer in ANSWERS:
        for way in range(WAYS["esplora"]):
            yield "esplora", bytes([way]) + answer


def main():
    corpus = pathlib.Path(sys.argv[1])
    for target, seed in seeds():
        folder = corpus / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"seed-{hashlib.sha256(seed).hexdigest()[:16]}").write_bytes(seed)


main()
