"""First steps with the real program: invalid settings, the quick start, own handlers, HTTP for operators."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleets import PATIENCE, Valkey, free_port

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
OPEN, NEED_NONE = "chargers are not authenticated: whoever reaches their port", "chargers need no password, as --security-profile 0 says"


def twistd(*options: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "twistd"), "--pidfile=", "-n", "ocpp", *options],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )


@pytest.mark.parametrize(
    ("options", "environment", "named"),
    [
        (["--port", "everywhere"], {}, "--port"),
        ([], {"ADDR": ":99999"}, "ADDR"),
        (["--http", "0.0.0.0:10801"], {}, "--http-token"),
        (["--authorize", "backend"], {}, "--base-url"),
        (["--base-url", "backend:8000"], {}, "--base-url"),
        (["--call-timeout", "soon"], {}, "--call-timeout"),
        (["--redis", "http://x"], {}, "--redis"),
        (["--handlers", "nobody"], {}, "--handlers"),
        (["--no-such-option"], {}, "--no-such-option"),
    ],
)
def test_an_invalid_setting_ends_with_one_line_that_names_it(tmp_path, options, environment, named):
    ended = twistd(*options, cwd=tmp_path, **environment)
    lines = (ended.stdout + ended.stderr).strip().splitlines()
    assert ended.returncode == 1 and named in lines[-1] and "Traceback" not in ended.stderr


def test_a_port_in_use_ends_with_status_1_and_is_named(gateway, tmp_path):
    ended = twistd("--port", f"127.0.0.1:{gateway.port}", "--http", "127.0.0.1:0", "--redis", gateway.redis, cwd=tmp_path)
    assert ended.returncode == 1 and f"127.0.0.1:{gateway.port}" in ended.stdout and "Traceback" not in ended.stdout + ended.stderr


def simulate(gateway, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ocpp_tw.cli", "simulate", "--url", f"ws://127.0.0.1:{gateway.port}/", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
    )


def test_settings_are_also_read_from_a_file(gateway):
    """CONTRACT 5: `.env` in the working directory."""
    gateway.stop()
    (gateway.directory / ".env").write_text("HEARTBEAT_INTERVAL=77\n")
    gateway.start()
    assert "77" in simulate(gateway, "--speed-up", "2000").stdout


@pytest.mark.parametrize("more", [[], ["--ocpp", "2.0.1"], ["--ocpp", "2.0.1", "--flow", "plug"], ["--ocpp", "2.1", "--stream"]])
def test_the_quick_start_shows_a_whole_transaction(gateway, events, more):
    """One contract: the events are the same for every version."""
    ended = simulate(gateway, "--speed-up", "1000", *more)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    published = events()
    names = {event["event"] for event in published}
    assert names >= {"connect_charger", "boot_notification", "change_connector_status", "authorize"} or "plug" in more
    assert names >= {"start_transaction", "meter_value", "stop_transaction"} and not {"seq_gap", "message_refused"} & names
    assert not [event for event in published if "violations" in event]
    stopped = next(event["data"] for event in published if event["event"] == "stop_transaction")
    assert stopped["energy_wh"] > 1000 and stopped["duration_s"] > 600 and stopped["match"] == "exact"
    assert ("notify_periodic_event_stream" in names) == ("--stream" in more)


def test_a_hundred_chargers_are_served_without_an_error(gateway, events):
    ended = simulate(gateway, "--count", "100", "--rate", "200", "--speed-up", "600", "--json", "--quiet")
    summary = json.loads(ended.stdout)
    assert ended.returncode == 0, summary
    published = events()
    assert sum(event["event"] == "stop_transaction" for event in published) == 100
    ids = [event["data"]["transaction_id"] for event in published if event["event"] == "start_transaction"]
    assert len(set(ids)) == 100
    numbers: dict[str, list[int]] = {}
    for event in published:
        numbers.setdefault(event["data"]["charger"], []).append(event["seq"])
    assert all(each == list(range(1, len(each) + 1)) for each in numbers.values())


HANDLERS = (ROOT / "docs" / "extending.md").read_text().split("```python\n")[1].split("```")[0]


def test_handlers_of_a_plugin_decide(start, events, tmp_path):
    """The example of docs/extending.md, unchanged."""
    plugins = tmp_path / "own" / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "my_handlers.py").write_text(HANDLERS)
    gateway = start("--handlers", "mine", environment={"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path / 'own'}"})
    simulate(gateway, "--tag", "GUEST-1", "--speed-up", "2000")
    data = {event["event"]: event["data"] for event in events()}
    assert data["authorize"]["status"] == "Blocked" and "start_transaction" not in data


def test_operators_http(start, clean):
    gateway = start("--http-token", "s3cret")
    assert gateway.get("/healthz")[0] == 200
    assert gateway.get("/api/chargers")[0] == 401
    assert gateway.post("/command/", {})[0] == 401
    assert "s3cret" not in gateway.log.read_text()


def test_operators_http_on_loopback(gateway):
    assert gateway.get("/api/chargers") == (200, [])
    assert gateway.get("/api/chargers/nobody")[0] == 404
    assert gateway.post("/command/", {})[0] == 400
    body = {"cp_id": "nobody", "command": "reset", "data": {"type": "Soft"}}
    status, answer = gateway.post("/command/", body)
    assert status == 400 and answer["detail"] == "Charger not connected" and answer["outcome"] == "offline"
    status, answer = gateway.post("/command/", [])
    assert status == 400 and answer["outcome"] == "invalid"


def test_readiness_reports_whether_redis_takes_events(start, valkey, tmp_path):

    (tmp_path / "own").mkdir()
    server = Valkey(tmp_path / "own", "--appendonly", "yes")
    try:
        gateway = start(redis=server.url)
        server.kill()
        gateway.until(lambda: not gateway.get("/readyz")[1]["redis"])
        assert gateway.get("/readyz")[0] == 200  # events are durable on disk
        assert gateway.get("/healthz")[0] == 200
        server.start()
        gateway.until(lambda: gateway.get("/readyz")[1]["redis"])
    finally:
        server.close()


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["alone", "workers"])
def test_an_open_door_is_told_once_with_how_to_close_it(start, workers):
    for profile in ("", "0"):
        port = ("--port", f"0.0.0.0:{free_port()}")  # the last one counts
        other = start(*port, *workers, *(("--security-profile", profile) if profile else ()), wait=False)
        other.until(lambda other=other: other.get("/readyz")[0] == 200)
        other.until(lambda other=other, profile=profile: (NEED_NONE if profile else OPEN) in other.log.read_text())
        assert bool(other.get("/readyz")[1]["open"]) is (profile == "")
        assert other.stop() == 0 and other.log.read_text().count(OPEN) == (0 if profile else 1)
        assert other.log.read_text().count(NEED_NONE) == (1 if profile else 0)


def test_on_loopback_nothing_is_open(gateway):
    assert gateway.get("/readyz")[1]["open"] == [] and gateway.stop() == 0
    assert "not authenticated" not in gateway.log.read_text()
