"""What is followed over HTTP, and what becomes of it when the stream breaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ocpp_tw.tapping import following
from ocpp_tw.tapping.following import Refused, Tap


def frame(second: int, charger: str = "p,q") -> dict[str, Any]:
    return {
        "time": f"2100-01-01T00:00:{second:02}.000000Z",
        "charger": charger,
        "direction": "in",
        "frame": [2, str(second), "Heartbeat", {}],
    }


class Gateway:
    """What it tells by each stream, one after another, and what it remembers; with none left it refuses."""

    def __init__(self) -> None:
        self.streams: list[list[dict[str, Any]]] = []
        self.remembered: list[dict[str, Any]] = []
        self.asked: list[str] = []
        outer = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = urlsplit(self.path)
                outer.asked.append(self.path)
                live = asked.path == "/api/live"
                if live and not outer.streams:
                    return self.send_error(503)
                told = outer.streams.pop(0) if live else outer.remembered
                self.send_response(200)
                self.end_headers()
                for each in told:
                    self.wfile.write(
                        b"data: %s\n\n" % json.dumps({"kind": "frame", **each}).encode() if live else json.dumps(each).encode() + b"\n"
                    )
                return None

            def log_message(self, *more: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.thread = Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.setattr(following, "AGAIN_AFTER", 0.01)
    made = Gateway()
    yield made
    made.close()


def test_what_was_said_while_the_stream_was_broken_is_told_once_with_a_word_that_it_was(gateway: Gateway) -> None:
    gateway.streams = [[frame(1), frame(2)], [frame(4), frame(5)]]
    gateway.remembered = [frame(second) for second in (1, 2, 3, 4)]
    told = Tap(f"http://127.0.0.1:{gateway.server.server_port}").live(["p,q"], ("frames",), {"action": ""})
    seen = [next(told) for _ in range(7)]
    assert [each["frame"][1] for each in seen if each["kind"] == "frame"] == ["1", "2", "3", "4", "5"]
    notes = [each["detail"] for each in seen if each["kind"] == "trouble"]
    assert notes[0] == "the stream has ended" and notes[1].startswith("the stream is back: 2 were said meanwhile")
    assert parse_qs(urlsplit(gateway.asked[0]).query)["charger"] == ["p\\,q"]


def test_one_that_cannot_begin_is_refused(gateway: Gateway) -> None:
    with pytest.raises(Refused, match="503"):
        next(Tap(f"http://127.0.0.1:{gateway.server.server_port}").live(["c1"], ("frames",), {}))
