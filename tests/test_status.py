"""``ocpp-tw status``: what it prints of an overview."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from ocpp_tw.cli import main
from ocpp_tw.registering.status import bars

GATEWAY = {
    "name": "gw", "chargers": 3, "messages_per_second": 1.5, "events_per_second": 1.5, "loop_lag_ms": 2.0, "memory_mb": 80.5, "cpu": 0.42,
    "started": "2026-09-21T14:00:00Z", "version": "1", "redis": {"connected": False, "unread": None, "trouble": "refused"},
    "spool": {"groups": 1, "events": 7, "trouble": ""}, "backend": {"state": "failing", "detail": "no answer"},
}  # fmt: skip
OVERVIEW = {
    "time": "2026-09-21T15:00:00Z",
    "chargers": {"total": 4, "online": 1, "charging": 2, "faulted": 0, "silent": 0, "unresponsive": 0, "away": 1},
    "power_w": 14_500, "energy_today_wh": 1_234_567, "rates": {"messages": [0.0] * 59 + [2.0], "events": [0.0] * 60},
    "gateways": [GATEWAY], "missing": ["other"], "gone": [{"name": "dead\x1b", "since": "2026-09-21T14:30:00Z"}], "trouble": "", "redis": GATEWAY["redis"], "backend": GATEWAY["backend"],
    "troubles": [
        {"time": "t", "event": "flapping", "charger": "c\x1b[31m1", "over": True},
        {"time": "t", "event": "gateway_gone", "name": "dead", "description": "gateway dead is gone"},
    ],
}  # fmt: skip


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Any:
    """A gateway that answers what the test says."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = request.param
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *more: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("url", [(200, OVERVIEW)], indirect=True)
def test_the_overview_is_printed_with_all_that_is_wrong(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--url", url]) == 0
    printed = capsys.readouterr().out
    for text in (
        "chargers  4: online 1  charging 2",
        "14.5 kW now, 1234.6 kWh today",
        "TROUBLE   refused",
        "no answer from other",
        "TROUBLE   gateway dead\\x1b is gone, and was there last at 2026-09-21T14:30:00Z",
        "42%",
        "flapping (over)",
        "gateway_gone     -           gateway dead is gone",
    ):
        assert text in printed
    assert "\x1b" not in printed and "\\x1b[31m1" in printed


@pytest.mark.parametrize("url", [(200, OVERVIEW)], indirect=True)
def test_it_can_be_printed_as_json(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--url", url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == OVERVIEW


@pytest.mark.parametrize("url", [(401, {"detail": "A bearer token is needed"})], indirect=True)
def test_a_refusal_is_told(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--url", url]) == 1
    assert capsys.readouterr().err == "ocpp-tw status: 401 A bearer token is needed\n"


def test_bars_are_as_high_as_the_values() -> None:
    assert bars([0, 1, 2, 4]) == "▁▃▅█ 4, at most 4"
    assert bars([0.0, 0.0]) == "▁▁ 0, at most 0"
