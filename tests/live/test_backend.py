"""The operator's backend over real HTTP: it assigns ids, authorizes tags, and may fail at any time."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import websockets

from fleets import PATIENCE

pytestmark = pytest.mark.live


class Backend(BaseHTTPRequestHandler):
    """A small backend; ``fault`` is what it does with a GET instead of answering."""

    requests: list[str] = []  # noqa: RUF012
    keys: list[tuple[str, str]] = []  # noqa: RUF012
    chargers: dict[str, Any] = {}  # noqa: RUF012
    hangs = False
    fault: Callable[[Backend], None] | None = None

    def do_GET(self) -> None:
        Backend.requests.append(self.path)
        if "/transaction/" in self.path:
            Backend.keys.append((self.path, self.headers["Idempotency-Key"]))
        if Backend.hangs:
            time.sleep(6)
        if Backend.fault is not None:
            with suppress(OSError):  # the gateway closed the connection
                Backend.fault(self)
            self.close_connection = True
            return
        if self.path.startswith("/api/charger/"):
            said = Backend.chargers.get(self.path.split("/")[3])
            if said is None:
                self.send_error(404)
            else:
                self._respond(said)
            return
        tag = self.path.split("/tag/")[1].split("/")[0]
        if "/authorize/" in self.path:
            self._respond({"status": True, "data": {"tag": tag, "status": "Blocked" if tag == "BAD" else "Accepted"}})
        else:
            self._respond({"status": tag != "NONE", "data": {"id": 123, "status": "active", "tag": tag}})

    def do_POST(self) -> None:
        Backend.requests.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        self._respond({"payload": {"status": "Accepted"}})

    def _respond(self, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def backend() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Backend.requests, Backend.keys, Backend.hangs, Backend.fault, Backend.chargers = [], [], False, None, {}
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def conversation(gateway: Any, *messages: tuple[str, Any]) -> list[Any]:
    """The answers to a charger's messages, and the seconds each took."""

    async def run() -> list[Any]:
        answers = []
        async with websockets.connect(f"ws://127.0.0.1:{gateway.port}/cp1", subprotocols=["ocpp1.6"]) as connection:
            for number, (action, payload) in enumerate(messages):
                begin = time.monotonic()
                await connection.send(json.dumps([2, str(number), action, payload]))
                kind, _, answer = json.loads(await asyncio.wait_for(connection.recv(), PATIENCE))
                assert kind == 3
                answers.append((answer, time.monotonic() - begin))
        return answers

    return asyncio.run(run())


def start_transaction(tag: str, meter: int = 0) -> tuple[str, Any]:
    return "StartTransaction", {"connectorId": 1, "idTag": tag, "meterStart": meter, "timestamp": "2026-11-23T08:00:00Z"}


def test_the_backend_assigns_ids_and_authorizes_tags(start, backend, events):
    gateway = start("--base-url", backend, "--authorize", "backend", "--backend-actions", "SignCertificate")
    answers = conversation(
        gateway,
        ("Authorize", {"idTag": "GOOD"}),
        ("Authorize", {"idTag": "BAD"}),
        start_transaction("GOOD"),
        start_transaction("NONE"),
        ("SignCertificate", {"csr": "x"}),
    )
    payloads = [answer for answer, _ in answers]
    assert [payloads[0]["idTagInfo"]["status"], payloads[1]["idTagInfo"]["status"]] == ["Accepted", "Blocked"]
    assert payloads[2] == {"transactionId": 123, "idTagInfo": {"status": "Accepted"}}
    assert payloads[3]["idTagInfo"]["status"] == "Invalid" and payloads[3]["transactionId"] > 10**9
    assert payloads[4] == {"status": "Accepted"}
    assert "/api/transaction/tag/GOOD/?charger=cp1&connector=1" in Backend.requests and "/api/ocpp/SignCertificate/" in Backend.requests
    assert "provisional" not in json.dumps(events())


def test_a_hanging_backend_delays_five_starts_and_then_none(start, backend, events):
    """F19: answered within the backend's time, under a valid id; and then the breaker opens."""
    Backend.hangs = True
    gateway = start("--base-url", backend, "--backend-timeout", "0.5")
    answers = conversation(gateway, *[start_transaction("T", meter) for meter in range(8)])
    assert all(answer["idTagInfo"]["status"] == "Accepted" and answer["transactionId"] > 10**9 for answer, _ in answers)
    assert len({answer["transactionId"] for answer, _ in answers}) == 8
    assert len(Backend.requests) == 5  # then the breaker is open
    assert all(event["provisional"] for event in events() if event["event"] == "start_transaction")


def test_a_dead_backend_does_not_prevent_charging(start, events):
    gateway = start("--base-url", "http://127.0.0.1:9")
    ((answer, seconds),) = conversation(gateway, start_transaction("T"))
    assert answer["transactionId"] > 10**9 and seconds < 20


def raw(text: bytes) -> Callable[[Backend], None]:
    return lambda handler: handler.wfile.write(text) and None


def body(text: bytes, *headers: bytes) -> Callable[[Backend], None]:
    return raw(b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(text), *headers, b"", text]))


def drips(handler: Backend) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(600):
        handler.wfile.write(b" ")
        time.sleep(0.1)


FAULTS: dict[str, Callable[[Backend], None]] = {
    "hangs": lambda handler: handler.connection.recv(1) and None,  # until the gateway hangs up
    "drips": drips,
    "hangs up": lambda handler: None,
    "answers 500": raw(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"),
    "redirects": raw(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"),
    "answers HTML": body(b"<html>Welcome</html>", b"Content-Type: text/html"),
    "answers garbage": body(b"\x00\xff{"),
    "answers too much": body(b'{"status": true, "x": "' + b"x" * 1_000_000 + b'"}'),
    "sends a gzip bomb": body(gzip.compress(bytes(50_000_000)), b"Content-Encoding: gzip"),
    "gives the id 0": body(b'{"status": true, "data": {"id": 0, "status": "active"}}'),
    "gives the id 2^40": body(b'{"status": true, "data": {"id": 1099511627776, "status": "active"}}'),
    "gives another kind of id": body(b'{"status": true, "data": {"id": [1], "status": "active"}}'),
}


@pytest.mark.parametrize("authorize", ["accept", "backend"])
def test_whatever_the_backend_does_a_start_has_a_valid_id_in_time(start, backend, events, authorize):
    """F19: one flagged event for each, one answer within the budget, though two requests are sent."""
    gateway = start("--base-url", backend, "--backend-timeout", "1", "--authorize", authorize)
    ids = set()
    for number, (name, fault) in enumerate(FAULTS.items()):
        Backend.fault = fault
        ((answer, seconds),) = conversation(gateway, start_transaction("T", 2 * number))
        assert (answer["idTagInfo"]["status"], seconds < 10) == ("Accepted", True), (name, seconds)
        assert 10**9 < answer["transactionId"] < 2**31, name
        ids.add(answer["transactionId"])
        Backend.fault = None
        ((answer, _),) = conversation(gateway, start_transaction("NONE", 2 * number + 1))  # it works again: the breaker stays closed
        assert answer["idTagInfo"]["status"] == "Invalid", name
    assert len(ids) == len(FAULTS)
    starts = [event for event in events() if event["event"] == "start_transaction" and event["data"]["tag"] == "T"]
    assert len(starts) == len(FAULTS) and all(event["provisional"] for event in starts)


def test_a_backend_that_gives_one_id_to_two_starts(start, backend, events):
    """F19: no charger has two transactions with the same id."""
    gateway = start("--base-url", backend)
    answers = conversation(gateway, start_transaction("T", 1), start_transaction("T", 2))
    ids = [answer["transactionId"] for answer, _ in answers]
    assert ids[0] == 123 and ids[1] > 10**9
    assert [event["data"].get("backend_id") for event in events() if event["event"] == "start_transaction"] == [None, 123]


def reconciled(events: Any) -> list[tuple[int, int | None, str]]:
    reconciliations = [event["data"] for event in events() if event["event"] == "transaction_reconciled"]
    return [(data["transaction_id"], data["backend_id"], data["status"]) for data in reconciliations]


def test_provisional_starts_are_reconciled_when_the_backend_is_back(start, backend, events):
    """F20: with the same keys; one of the tags has no transaction."""
    gateway = start("--base-url", backend)
    Backend.fault = FAULTS["answers 500"]
    answers = conversation(gateway, *[start_transaction(tag, meter) for meter, tag in enumerate(["T", "NONE", "T", "T", "T", "T"])])
    ids = [answer["transactionId"] for answer, _ in answers]
    keys = list(Backend.keys)
    assert len(keys) == 5
    Backend.fault = None
    time.sleep(5.2)  # the breaker's cool-down
    conversation(gateway, start_transaction("T", 100))
    gateway.until(lambda: len(reconciled(events)) == 6)
    expected = [(id, None, "Invalid") if n == 1 else (id, 123, "Accepted") for n, id in enumerate(ids)]
    assert reconciled(events)[0] == expected[0]  # the oldest alone, then a few at once
    assert sorted(reconciled(events)) == expected
    assert len(Backend.keys) == 12 and set(keys) <= set(Backend.keys[6:])
    assert len([event for event in events() if event["event"] == "start_transaction"]) == 7


def test_a_provisional_start_is_reconciled_after_a_crash(start, backend, events):
    """F14, F20: kill -9 with the charger gone; the backend is asked as soon as the gateway runs again."""
    gateway = start("--base-url", backend)
    Backend.fault = FAULTS["hangs up"]
    ((answer, _),) = conversation(gateway, start_transaction("T"))
    gateway.stop(signal.SIGKILL)
    Backend.fault = None
    gateway.start()
    gateway.until(lambda: reconciled(events))
    assert reconciled(events) == [(answer["transactionId"], 123, "Accepted")]
    assert Backend.keys[0] == Backend.keys[-1] and len(Backend.keys) == 2
    ((again, _),) = conversation(gateway, start_transaction("T"))
    assert again == answer and len(Backend.keys) == 2


def test_the_backend_is_the_register_and_is_remembered_over_a_restart(start, backend, events):
    """Without its Redis too: from the mirror."""

    async def come(gateway: Any, *ids: str) -> list[Any]:
        """The status of the answer to a BootNotification, or that of HTTP."""

        async def one(id: str) -> Any:
            try:
                async with websockets.connect(f"ws://127.0.0.1:{gateway.port}/{id}", subprotocols=["ocpp1.6"]) as line:
                    await line.send(json.dumps([2, "1", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}]))
                    return json.loads(await asyncio.wait_for(line.recv(), PATIENCE))[2]["status"]
            except websockets.InvalidStatus as why:
                return why.response.status_code, why.response.headers.get("Retry-After")

        return list(await asyncio.gather(*map(one, ids)))

    Backend.chargers = {f"cp{n}": {"verdict": "accept"} for n in range(200)} | {"new": {"verdict": "pending"}, "bad": {"verdict": "refuse"}}
    Backend.chargers |= {"odd": {"verdict": "perhaps"}}
    gateway = start("--base-url", backend, "--register", "backend", "--backend-limit", "8")
    crowd = [f"cp{n}" for n in range(200)]
    assert asyncio.run(come(gateway, *crowd)) == ["Accepted"] * 200
    assert asyncio.run(come(gateway, "new", "bad", "nobody", "odd")) == ["Pending", (404, None), (404, None), (503, "10")]
    Backend.fault = lambda request: request.send_error(500)
    assert asyncio.run(come(gateway, "cp1", "new", "stranger")) == ["Accepted", "Pending", (503, "10")]
    assert gateway.stop() == 0
    gateway.start()
    assert asyncio.run(come(gateway, *crowd, "new", "bad")) == ["Accepted"] * 200 + ["Pending", (503, "10")]
    assert gateway.get("/api/chargers/new")[1]["backend_verdict"] == "pending"
    assert "Traceback" not in gateway.log.read_text()
