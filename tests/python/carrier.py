"""A Lightning node for a program that is none: `carrier.rs`, a plain ldk-node that sends and receives records."""

import hashlib
import hmac
import json
import queue
import secrets
import subprocess
import threading

from boltgram_wire.record import RECORD_TYPE
from boltgram_wire.signature import ORDER, public_key

ANSWER_SECONDS = 60


def node_secret(seed):
    """The secret key of an ldk-node with this seed: BIP 32's master key of the seed is LDK's own seed, and m/0' of that
    one's master key is the node's."""
    ldk_seed, _ = split_hmac(b"Bitcoin seed", seed)
    key, chain_code = split_hmac(b"Bitcoin seed", ldk_seed)
    tweak, _ = split_hmac(chain_code, b"\x00" + key + (0x8000_0000).to_bytes(4, "big"))
    child = (int.from_bytes(tweak, "big") + int.from_bytes(key, "big")) % ORDER
    return child.to_bytes(32, "big")


def split_hmac(key, data):
    digest = hmac.new(key, data, hashlib.sha512).digest()
    return digest[:32], digest[32:]


class Carrier:
    """The process, and what it tells."""

    def __init__(self, esplora, listen, folder):
        command = ["cargo", "run", "--quiet", "--example", "carrier"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self.received = queue.Queue()
        self.answers = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        seed = secrets.token_bytes(64)
        self.secret, self.listen = node_secret(seed), listen
        self._say({"esplora": esplora, "listen": listen, "folder": str(folder), "seed": seed.hex()})
        ready = self._answer()["ready"]
        self.onchain_address, self.node_id = ready["onchain_address"], bytes.fromhex(ready["node_id"])
        assert self.node_id == public_key(self.secret), "the derived key is not the node's"

    def _read(self):
        for line in self.process.stdout:
            told = json.loads(line)
            (self.received if "received" in told else self.answers).put(told)

    def _say(self, line):
        print(json.dumps(line), file=self.process.stdin, flush=True)

    def _answer(self):
        return self.answers.get(timeout=ANSWER_SECONDS)

    def sync(self):
        self._say({"sync": {}})
        return self._answer()["synced"]

    def send(self, to, record, amount_msat):
        """Sends a record, and waits until the far node has claimed its payment."""
        payment = {"to": to.hex(), "amount_msat": amount_msat, "record_type": RECORD_TYPE, "record": record.hex()}
        self._say({"send": payment})
        answer = self._answer()
        assert "claimed" in answer, answer

    def next_record(self):
        """The record and the amount of the next payment that came in."""
        received = self.received.get(timeout=ANSWER_SECONDS)["received"]
        [record] = [each["record"] for each in received["records"] if each["record_type"] == RECORD_TYPE]
        return bytes.fromhex(record), received["amount_msat"]

    def stop(self):
        self.process.stdin.close()
        code = self.process.wait(ANSWER_SECONDS)
        assert code == 0, f"the carrier ended with {code}"
