"""``ocpp-tw status``: what it prints of an overview."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from ocpp_tw.cli import main
from ocpp_tw.registering.status import bars, lines

GATEWAY = {
    "name": "gw", "chargers": 3, "messages_per_second": 1.5, "events_per_second": 1.5, "loop_lag_ms": 2.0, "memory_mb": 80.5, "cpu": 0.42,
    "started": "2026-09-21T14:00:00Z", "version": "1", "redis": {"state": "away", "connected": False, "unread": None, "trouble": "refused"},
    "spool": {"groups": 1, "events": 7, "trouble": ""}, "backend": {"state": "failing", "detail": "no answer"},
}  # fmt: skip
OVERVIEW = {
    "time": "2026-09-21T15:00:00Z",
    "chargers": {"total": 4, "online": 1, "charging": 2, "faulted": 0, "silent": 0, "unresponsive": 0, "away": 1},
    "power_w": 14_500, "energy_today_wh": 1_234_567, "rates": {"messages": [0.0] * 59 + [2.0], "events": [0.0] * 60},
    "gateways": [GATEWAY], "missing": ["other"], "gone": [{"name": "dead\x1b", "since": "2026-09-21T14:30:00Z", "chargers": 7}], "trouble": "", "redis": GATEWAY["redis"], "backend": GATEWAY["backend"],
    "troubles": [
        {"time": "t", "event": "flapping", "charger": "c\x1b[31m1", "over": True},
        {"time": "t", "event": "gateway_gone", "name": "dead", "description": "gateway dead is gone"},
    ],
}  # fmt: skip


@pytest.fixture
def answered() -> list[Any]:
    """What the gateway answers, where it is not always the same."""
    return []


@pytest.fixture
def url(request: pytest.FixtureRequest, answered: list[Any]) -> Any:
    """A gateway that answers what the test says."""
    answered.append(request.param)

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answered[0]
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
        "TROUBLE   Redis is away: refused",
        "TROUBLE   the backend is not asked: no answer",
        "unread    not known how many",
        "no answer from other",
        "TROUBLE   gateway dead\\x1b is gone, and was there last at 2026-09-21T14:30:00Z, with 7 chargers",
        "42%",
        "flapping (over)",
        "gateway_gone     -           gateway dead is gone",
    ):
        assert text in printed
    assert "\x1b" not in printed and "\\x1b[31m1" in printed


@pytest.mark.parametrize(("chargers", "said"), [(1, "Z, with 1 charger"), (0, "Z")])
def test_of_a_gateway_that_is_gone_the_chargers_are_counted_if_it_had_any(chargers: int, said: str) -> None:
    gone = {"name": "dead", "since": "2026-09-21T14:30:00Z", "chargers": chargers}
    [line] = [line for line in lines({**OVERVIEW, "gone": [gone]}) if "is gone, and" in line]
    assert line.endswith(said)


def test_what_is_wrong_with_redis_is_said_once() -> None:
    for state, trouble, redis, words in (
        ("away", "Redis cannot be reached: Connection refused", "Connection refused", "  away  "),
        ("refusing", "Redis takes no writes: OOM used memory > 'maxmemory'", "OOM used memory > 'maxmemory'", "  takes no writes  "),
        ("refusing", "", "READONLY You can't write against a read only replica.", "  takes no writes  "),
    ):
        report = {"state": state, "connected": False, "unread": 7, "trouble": redis}
        printed = lines({**OVERVIEW, "trouble": trouble, "redis": report, "gateways": [{**GATEWAY, "redis": report}]})
        assert len([line for line in printed if redis in line]) == 1
        assert words in next(line for line in printed if line.startswith("gw ")) and "unread    7 events" in "\n".join(printed)
        assert printed[0].endswith("gateway gw only, since others cannot be asked" if trouble else "1 gateways")
        assert f"TROUBLE   {'Redis takes no writes' if state == 'refusing' else 'Redis cannot be reached'}: {redis}" in printed


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ({"event": "clock_skew", "seconds": -90}, "its clock is 90 s slow"),
        ({"event": "clock_skew", "seconds": 3600}, "its clock is 3600 s fast"),
        ({"event": "silent", "seconds": 900}, "nothing has come for 900 s"),
        ({"event": "unresponsive", "timeouts": 3}, "3 commands without an answer"),
        ({"event": "flapping", "connects": 5, "seconds": 300}, "5 connections, within 300 s"),
        ({"event": "flooding", "messages": 900, "bytes": 80_000, "seconds": 10}, "900 messages, 80000 bytes, within 10 s"),
        ({"event": "disconnect_charger", "code": 1006, "reason": "", "seconds": 4.5}, "close code 1006"),
        ({"event": "disconnect_charger", "code": 1002, "reason": "no frame", "seconds": 4.5}, "no frame"),
    ],
)
def test_a_trouble_says_what_it_is(trouble: dict[str, Any], said: str) -> None:
    [*_, line] = lines({**OVERVIEW, "troubles": [{"time": "t", "charger": "c1", **trouble}]})
    assert line.endswith(said)


@pytest.mark.parametrize("url", [(200, OVERVIEW)], indirect=True)
def test_a_watcher_outlives_a_restart_of_the_gateway(
    url: str, answered: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looks = iter([200, 502, 500, 200])

    def slept(seconds: float) -> None:
        status = next(looks, None)
        if status is None:
            raise KeyboardInterrupt
        answered[0] = status, OVERVIEW if status == 200 else {"detail": "The gateway is starting"}

    monkeypatch.setattr("ocpp_tw.registering.status.time.sleep", slept)
    assert main(["status", "--url", url, "--watch"]) == 0
    printed = capsys.readouterr()
    assert printed.out.count("14.5 kW now") == 3 and printed.err.count("The gateway is starting") == 2


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
