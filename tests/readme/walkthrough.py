"""Runs the fenced blocks of a README as they stand there, in its order, in one shell, and checks what came of them.

Usage: walkthrough.py README, in a folder of its own, with all that the README uses on PATH. A line that goes on until
Ctrl-C, of which the README says that it has a terminal of its own, runs beside the others. What can't be run is listed with the
reason. The last line is `N passed, M failed, K skipped`.
"""

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

PORTS = [8881, 8882, 3002, 9735, 9736, 8891, 8892]
BLOCK_SECONDS = 120
READY_SECONDS = 60
BOB = "127.0.0.1:8891"

NODE = re.compile(r"boltgram node\b")
# Commands that go on until Ctrl-C.
BESIDE = re.compile(r"boltgram (devnet|node|listen)\b|curl -N\b")

# What isn't run, by how it begins, and why.
NOT_RUN = {
    "cargo ": "other stages build, test and run the demo",
    'export PATH="$PWD/target/debug': "the binary is on PATH",
    "boltgram node --lsps2-node": "it needs a provider; tests/jit.rs has one",
    "boltgram jit-invoice": "it needs a provider; tests/jit.rs has one",
}
# Blocks of which nothing is run: those that name placeholders for what only the network has.
PLACEHOLDERS = re.compile(r"\bopen PUBKEY@HOST:PORT")


# A test stays on this machine: a node on a public network gets an Esplora server that isn't there, on loopback. The
# command is the README's; a variable outranks the preset.
OFFLINE = "export BOLTGRAM_ESPLORA_URL=http://127.0.0.1:9 BOLTGRAM_LISTEN=127.0.0.1:9735"


class Failure(Exception):
    """A step didn't do what the README says."""


class Shell:
    """One bash for all blocks, so that a variable which one sets is there for the next."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.beside = {}
        self.run("set -euo pipefail")

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def run(self, text):
        """Runs some lines to their end and gives what they print. bash ends with the first that fails."""
        mark = f"--- {time.monotonic_ns()}"
        self.process.stdin.write(f"{text}\necho; echo '{mark}'\n")
        self.process.stdin.flush()
        printed, deadline = [], time.monotonic() + BLOCK_SECONDS
        while True:
            try:
                line = self.lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise Failure(f"it did not end within {BLOCK_SECONDS} s:\n{text}\n{''.join(printed)}") from None
            if line is None:
                raise Failure(f"it failed with exit code {self.process.wait()}:\n{text}\n{''.join(printed)}")
            if line.strip() == mark:
                return "".join(printed).removesuffix("\n")
            printed.append(line)

    def start(self, line):
        """Runs a line beside the others; gives the file with what it prints."""
        file = Path(f"beside-{len(self.beside)}.log")
        pid = self.run(f"( exec {line}\n) </dev/null >{file} 2>&1 & echo $!")
        self.beside[line] = int(pid)
        return file

    def end(self):
        """Ends all that still runs."""
        for pid in self.beside.values():
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass  # It has ended already, as it should when the README stopped it.
        self.process.stdin.close()
        self.process.wait(READY_SECONDS)


def blocks(text):
    """The fenced blocks: language, content, and the text before each."""
    parts = re.split(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [(parts[at + 1], parts[at + 2], parts[at]) for at in range(0, len(parts) - 1, 3)]


def wait_for(what, is_so):
    deadline = time.monotonic() + READY_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise Failure(f"{what} within {READY_SECONDS} s")
        time.sleep(0.2)


def answers(port):
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def begin(shell, line):
    """Starts a line that goes on, and waits until it is of use."""
    if "--network" in line:
        shell.run(OFFLINE)
    file = shell.start(line)
    if "devnet" in line:
        wait_for("the devnet did not answer", lambda: answers(3002))
    elif NODE.match(line):
        grpc = re.search(r"--grpc 127\.0\.0\.1:(\d+)", line)
        wait_for("the node did not answer", lambda: answers(int(grpc[1]) if grpc else 8881))
        if "--network" not in line:
            address = f"--grpc {grpc[0].split()[1]}" if grpc else ""
            shell.run(f"until boltgram health {address} >/dev/null; do sleep 0.2; done")
    else:
        # It may be slow to connect: a message that it shows tells that it has.
        def shows_a_message():
            shell.run('boltgram send $BOB "is somebody there?" >/dev/null')
            return "is somebody there?" in file.read_text(encoding="utf-8")

        wait_for(f"{line} showed no message", shows_a_message)


def run_shell_block(shell, content):
    """Runs a block's lines, those that go on beside the others; gives what it printed, or None if nothing was run."""
    if PLACEHOLDERS.search(content):
        print("not run: it needs a network's coins and nodes", flush=True)
        return None
    together, printed, has_run = [], "", False
    for line in content.splitlines():
        reason = next((reason for begins, reason in NOT_RUN.items() if line.startswith(begins)), None)
        if reason:
            print(f"not run: {line} ({reason})", flush=True)
            continue
        has_run = True
        if BESIDE.match(line):
            printed += shell.run("\n".join(together))
            together = []
            begin(shell, line)
        else:
            together.append(line)
    printed += shell.run("\n".join(together))
    if printed.strip():
        print(printed.rstrip("\n"), flush=True)
    return printed if has_run else None


def check_inbox(shell):
    """What the walk-throughs sent is what bob has."""
    shown = shell.run(f"boltgram inbox --grpc {BOB}")
    for text, at_least in {'"hello"': 1, '"hi"': 2, '"hello from Python"': 1}.items():
        found = shown.count(f'"text":{text}')
        if found < at_least:
            raise Failure(f"bob has {found} messages {text}, not {at_least}: {shown}")


def walk_block(shell, heading, language, content, before):
    """Runs one block and checks what came of it; False if nothing of it is run."""
    if language == "python":
        Path(re.findall(r"`(\w+\.py)`", before)[-1]).write_text(content, encoding="utf-8")
        return True
    if language != "sh":
        return False
    is_stop = "boltgram stop" in content
    if is_stop:
        check_inbox(shell)
    printed = run_shell_block(shell, content)
    if is_stop:
        wait_for("the nodes did not stop", lambda: not any(map(answers, [8881, 8882, 8891, 8892])))
    if heading == "On signet" and content.startswith("boltgram info") and '"network":"signet"' not in printed:
        raise Failure(f"the node is not on signet: {printed}")
    return printed is not None


def walk(shell, text):
    """Runs all blocks; gives how many passed, failed and were skipped. The first failure ends it: the rest builds on it."""
    passed, skipped, heading = 0, 0, ""
    for language, content, before in blocks(text):
        heading = (re.findall(r"^#+ (.*)$", before, flags=re.MULTILINE) or [heading])[-1]
        print(f"--- {heading}\n{content}", end="", flush=True)
        try:
            has_run = walk_block(shell, heading, language, content, before)
        except Failure as failure:
            print(f"FAILED: {failure}", flush=True)
            return passed, 1, skipped
        passed, skipped = (passed + 1, skipped) if has_run else (passed, skipped + 1)
    return passed, 0, skipped


def main():
    taken = [port for port in PORTS if answers(port)]
    if taken:
        sys.exit(f"error: the README's walk-throughs use the default ports, and something listens on {taken}: stop it")
    shell = Shell()
    try:
        passed, failed, skipped = walk(shell, Path(sys.argv[1]).read_text(encoding="utf-8"))
    finally:
        shell.end()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
