"""The operator's backend over real HTTP: it gives ids, decides on tags, and may die at any time."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import websockets

pytestmark = pytest.mark.live


class Backend(BaseHTTPRequestHandler):
    """A Django application of two people."""

    asked: list[str] = []  # noqa: RUF012
    hangs = False

    def do_GET(self) -> None:
        Backend.asked.append(self.path)
        if Backend.hangs:
            time.sleep(6)
        tag = self.path.split("/tag/")[1].split("/")[0]
        if "/authorize/" in self.path:
            self._say({"status": True, "data": {"tag": tag, "status": "Blocked" if tag == "BAD" else "Accepted"}})
        else:
            self._say({"status": tag != "NONE", "data": {"id": 123, "status": "active", "tag": tag}})

    def do_POST(self) -> None:
        Backend.asked.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say({"payload": {"status": "Accepted"}})

    def _say(self, body: Any) -> None:
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
    Backend.asked, Backend.hangs = [], False
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def conversation(gateway: Any, *messages: tuple[str, Any]) -> list[Any]:
    """What a charger is answered, and after how many seconds."""

    async def talk() -> list[Any]:
        answers = []
        async with websockets.connect(f"ws://127.0.0.1:{gateway.port}/cp1", subprotocols=["ocpp1.6"]) as line:
            for number, (action, payload) in enumerate(messages):
                begin = time.monotonic()
                await line.send(json.dumps([2, str(number), action, payload]))
                kind, _, answer = json.loads(await asyncio.wait_for(line.recv(), 20))
                assert kind == 3
                answers.append((answer, time.monotonic() - begin))
        return answers

    return asyncio.run(talk())


def begins(tag: str, meter: int = 0) -> tuple[str, Any]:
    return "StartTransaction", {"connectorId": 1, "idTag": tag, "meterStart": meter, "timestamp": "2026-11-23T08:00:00Z"}


def test_the_backend_gives_ids_and_decides_on_tags(start, backend, events):
    gateway = start("--base-url", backend, "--authorize", "backend", "--backend-actions", "SignCertificate")
    answers = conversation(
        gateway,
        ("Authorize", {"idTag": "GOOD"}),
        ("Authorize", {"idTag": "BAD"}),
        begins("GOOD"),
        begins("NONE"),
        ("SignCertificate", {"csr": "x"}),
    )
    said = [answer for answer, _ in answers]
    assert [said[0]["idTagInfo"]["status"], said[1]["idTagInfo"]["status"]] == ["Accepted", "Blocked"]
    assert said[2] == {"transactionId": 123, "idTagInfo": {"status": "Accepted"}}
    assert said[3]["idTagInfo"]["status"] == "Invalid" and said[3]["transactionId"] > 10**9
    assert said[4] == {"status": "Accepted"}
    assert "/api/transaction/tag/GOOD/?charger=cp1&connector=1" in Backend.asked and "/api/ocpp/SignCertificate/" in Backend.asked
    assert "provisional" not in json.dumps(events())


def test_a_hanging_backend_costs_three_seconds_and_then_nothing(start, backend, events):
    """F19: answered within the backend's time, under a valid id; and the breaker spares the others."""
    Backend.hangs = True
    gateway = start("--base-url", backend, "--backend-timeout", "0.5")
    answers = conversation(gateway, *[begins("T", meter) for meter in range(8)])
    assert all(answer["idTagInfo"]["status"] == "Accepted" and answer["transactionId"] > 10**9 for answer, _ in answers)
    assert len({answer["transactionId"] for answer, _ in answers}) == 8
    assert len(Backend.asked) == 5  # then it is left in peace
    assert all(event["provisional"] for event in events() if event["event"] == "start_transaction")


def test_a_dead_backend_stops_nobody(start, events):
    gateway = start("--base-url", "http://127.0.0.1:9")
    ((answer, seconds),) = conversation(gateway, begins("T"))
    assert answer["transactionId"] > 10**9 and seconds < 4
