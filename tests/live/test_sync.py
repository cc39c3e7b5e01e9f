"""No answer is sent before its event is synced to disk while Redis is unavailable, as seen by the kernel (FAULTS §0)."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import websockets
from twisted.internet.threads import deferToThread

from chaos.ledger import Ledger
from chaos.processes import GatewayProcess, has_option
from fleets import PATIENCE, Valkey

pytestmark = pytest.mark.live


def unsynced(trace: str, answers: list[str], directory: Path) -> list[str]:
    """The answers, of these in their order, that were written without a sync of the directory's files since the previous answer.

    A call that strace shows in two parts begins at "unfinished" and is complete at "resumed".
    """
    too_early, synced, open_syncs, left = [], False, set[str](), list(answers)
    for line in trace.splitlines():
        thread = line.split(" ", 1)[0]
        if re.search(r"\b(fsync|fdatasync)\(", line) and str(directory) in line:
            if "<unfinished" in line:
                open_syncs.add(thread)
            else:
                synced = synced or line.rstrip().endswith("= 0")
        elif "resumed>" in line and thread in open_syncs:
            open_syncs.discard(thread)
            synced = synced or line.rstrip().endswith("= 0")
        elif left and re.search(r"\b(write|writev|sendto|sendmsg|send)\(", line) and f'[3,\\"{left[0]}\\"' in line:
            if not synced:
                too_early.append(left[0])
            synced = False
            left.pop(0)
    assert not left, f"these were never answered: {left}"
    return too_early


def test_a_trace_is_interpreted_correctly():
    spool = Path("/s/spool")
    lines = [
        "7 fdatasync(5</s/spool/x.db>) = 0",
        '7 sendto(9<TCP>, "\\201\\20[3,\\"a\\",{}]", 18) = 18',
        "7 fdatasync(6</s/elsewhere>) = 0",
        "8 fdatasync(5</s/spool/x.db> <unfinished ...>",
        '7 sendto(9<TCP>, "\\201\\20[3,\\"b\\",{}]", 18) = 18',
        "8 <... fdatasync resumed>) = 0",
        '7 sendto(9<TCP>, "\\201\\20[3,\\"c\\",{}]", 18) = 18',
        "7 fdatasync(5</s/spool/x.db>) = -1 EIO (Input/output error)",
        '7 sendto(9<TCP>, "\\201\\20[3,\\"d\\",{}]", 18) = 18',
    ]
    assert unsynced("\n".join(lines), ["a", "b", "c", "d"], spool) == ["b", "d"]


@pytest.fixture
def traced(tmp_path) -> Iterator[tuple[GatewayProcess, Valkey, Path, Path]]:
    """A gateway under strace, its Valkey, the file of the trace, and the directory of its spool."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    if not has_option("--spool"):
        pytest.skip("the gateway has no --spool")
    trace, spool = tmp_path / "trace", tmp_path / "spool"
    (tmp_path / "valkey").mkdir()
    valkey = Valkey(tmp_path / "valkey")
    gateway = GatewayProcess(tmp_path, Ledger(), "--redis", valkey.url, "--spool", str(spool))
    calls = "fsync,fdatasync,write,writev,sendto,sendmsg"
    # -D: the gateway is our own child and strace its companion, so that it can be ended by its id.
    gateway.wrapper = ("strace", "-D", "-f", "-y", "-s", "200", "-e", f"trace={calls}", "-o", str(trace))
    yield gateway, valkey, trace, spool
    gateway.close()
    valkey.close()


async def test_the_spool_is_synced_before_the_answer_leaves(traced):
    gateway, valkey, trace, spool = traced
    await gateway.start(within=PATIENCE)
    # The client runs its own event loop in a thread. In the first session the gateway gets from Redis what it needs to run without it.
    await deferToThread(lambda: asyncio.run(charge(gateway.port, "warm")))
    valkey.kill()
    answers = await deferToThread(lambda: asyncio.run(charge(gateway.port, "sync")))
    await gateway.kill()
    deadline = time.monotonic() + PATIENCE
    while f'[3,\\"{answers[-1]}\\"' not in trace.read_text(errors="replace"):
        assert time.monotonic() < deadline, "the trace does not have the last answer"
        time.sleep(0.05)
    assert unsynced(trace.read_text(errors="replace"), answers, spool) == []


async def charge(port: int, name: str) -> list[str]:
    """A transaction; the ids of its messages, all of which were answered."""
    at = "2026-11-23T10:00:00Z"
    sample = [{"timestamp": at, "sampledValue": [{"value": "1500"}]}]
    ids = []
    async with websockets.connect(f"ws://127.0.0.1:{port}/cp1", subprotocols=["ocpp1.6"], open_timeout=PATIENCE) as connection:

        async def call(action, payload):
            ids.append(f"{name}-{len(ids)}")
            await connection.send(json.dumps([2, ids[-1], action, payload]))
            kind, id, answer = json.loads(await asyncio.wait_for(connection.recv(), PATIENCE))
            assert (kind, id) == (3, ids[-1])
            return answer

        begun = await call("StartTransaction", {"connectorId": 1, "idTag": name, "meterStart": 0, "timestamp": at})
        for _ in range(5):
            await call("MeterValues", {"connectorId": 1, "transactionId": begun["transactionId"], "meterValue": sample})
        await call("StopTransaction", {"transactionId": begun["transactionId"], "meterStop": 9, "timestamp": at})
    return ids
