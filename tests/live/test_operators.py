"""Operators' HTTP of a gateway process: HTTPS, named tokens that change, and who did what."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from certificates import Made, shown
from ocpp_tw.operators.roles import Role
from ocpp_tw.operators.tokens import new_token

pytestmark = pytest.mark.live

OLD, NEW = Made("old"), Made("new")
COMMAND = {"cp_id": "nobody", "command": "clear_cache", "id": "u1", "by": "mallory"}


def ask(gateway: Any, path: str, token: str = "", body: Any = None, method: str | None = None, made: Made | None = None) -> tuple[int, Any]:
    """The status, and the JSON of the answer; by HTTPS with the certificate that is ``made``."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    data = None if body is None else json.dumps(body).encode()
    url = f"{'https' if made else 'http'}://127.0.0.1:{gateway.http}{path}"
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60, context=made.trust if made else None) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as answer:
        return answer.code, json.load(answer)


def named(file: Path, **roles: str) -> dict[str, str]:
    """A token for each name, written to the file."""
    made = {name: new_token(name, Role[role]) for name, role in roles.items()}
    file.write_text("".join(f"{line}\n" for _, line in made.values()))
    file.chmod(0o600)
    return {name: token for name, (token, _) in made.items()}


def told(events: Any, kind: str) -> list[dict[str, Any]]:
    return [each["data"] for each in events() if each["event"] == "security_event" and each["data"]["kind"] == kind]


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["alone", "workers"])
def test_who_did_what_is_told_whichever_process_does_it(start, tmp_path, events, workers):
    tokens = named(tmp_path / "tokens", alice="admin", eve="read")
    gateway = start("--http-tokens", str(tmp_path / "tokens"), "--http-token", "s3cret", *workers)
    assert ask(gateway, "/api/chargers", tokens["eve"]) == (200, [])
    assert ask(gateway, "/command/", tokens["eve"], COMMAND)[0] == 403
    assert ask(gateway, "/command/", "wrong", COMMAND)[0] == 401
    assert ask(gateway, "/command/", tokens["alice"], COMMAND)[0] == 400  # it is not connected
    assert ask(gateway, "/command/", "s3cret", COMMAND | {"id": "u2"})[0] == 400
    assert ask(gateway, "/api/chargers/cp1", tokens["alice"], {"boot_status": "Pending"}, "PUT")[0] == 200
    gateway.until(lambda: told(events, "login_failed") and len(told(events, "command")) == 2)
    assert [(each["by"], each["remote_address"], each["count"]) for each in told(events, "login_failed")] == [(None, "127.0.0.1", 1)]
    assert [(each["charger"], each["by"], each["remote_address"], each["detail"]) for each in told(events, "decision")] == [
        ("cp1", "alice", "127.0.0.1", "boot_status, registered")
    ]
    assert {each["by"] for each in told(events, "command")} == {"alice", ""}
    results = {each["data"]["id"]: each["data"]["by"] for each in events() if each["event"] == "command_result"}
    assert results == {"u1": "alice", "u2": ""}
    log = gateway.log.read_text()
    assert "operator's decision for cp1: boot_status, registered, by alice from 127.0.0.1" in log
    assert not any(secret in log for secret in ("s3cret", *tokens.values())) and "Traceback" not in log


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["alone", "workers"])
def test_tokens_are_replaced_while_the_gateway_runs(start, tmp_path, workers):
    """SIGHUP without --tls ends no worker."""
    file = tmp_path / "tokens"
    first = named(file, alice="read")["alice"]
    gateway = start("--http-tokens", str(file), *workers)
    second = named(file, alice="read")["alice"]
    gateway.process.send_signal(signal.SIGHUP)
    gateway.until(lambda: ask(gateway, "/api/chargers", second)[0] == 200)
    assert ask(gateway, "/api/chargers", first)[0] == 401
    file.write_text("nonsense\n")
    gateway.process.send_signal(signal.SIGHUP)
    gateway.until(lambda: "line 1: it must have three words" in gateway.log.read_text())
    assert ask(gateway, "/api/chargers", second)[0] == 200
    assert "worker ended" not in gateway.log.read_text() and gateway.stop() == 0


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["alone", "workers"])
def test_operators_are_served_over_tls_with_a_certificate_that_can_be_replaced(start, tmp_path, workers):
    file = tmp_path / "tls.pem"
    gateway = start("--http-tls", OLD.write(file), "--http-token", "s3cret", *workers, wait=False)
    gateway.until(lambda: ask(gateway, "/readyz", made=OLD)[0] == 200)
    assert ask(gateway, "/api/chargers", "s3cret", made=OLD) == (200, [])
    assert ask(gateway, "/api/chargers", "wrong", made=OLD)[0] == 401
    assert ask(gateway, "/command/", "s3cret", "x" * 300_000, made=OLD)[0] == 413
    NEW.write(file)
    gateway.process.send_signal(signal.SIGHUP)
    gateway.until(lambda: shown(gateway.http) == NEW.number)
    assert ask(gateway, "/api/chargers", "s3cret", made=NEW) == (200, [])
    file.write_text("nonsense")
    gateway.process.send_signal(signal.SIGHUP)
    gateway.until(lambda: "the one in use stays: --http-tls: " in gateway.log.read_text())
    assert ask(gateway, "/api/chargers", "s3cret", made=NEW) == (200, [])
    log = gateway.log.read_text()
    assert f"listening for operators' HTTPS at 127.0.0.1:{gateway.http}" in log and "Traceback" not in log


def test_a_page_of_its_own_origin_is_served_over_tls_without_a_token(start, tmp_path):
    gateway = start("--http-tls", OLD.write(tmp_path / "tls.pem"), wait=False)
    gateway.until(lambda: ask(gateway, "/readyz", made=OLD)[0] == 200)
    for scheme, status in (("https", 200), ("http", 403)):
        request = urllib.request.Request(f"https://127.0.0.1:{gateway.http}/api/chargers")
        request.add_header("Origin", f"{scheme}://127.0.0.1:{gateway.http}")
        try:
            assert urllib.request.urlopen(request, timeout=60, context=OLD.trust).status == status
        except urllib.error.HTTPError as refused:
            assert refused.code == status


def test_a_stranger_at_https_gets_nothing_and_leaves_nothing(start, tmp_path):
    """Who speaks HTTP, or says nothing."""
    gateway = start("--http-tls", OLD.write(tmp_path / "tls.pem"), wait=False)
    gateway.until(lambda: ask(gateway, "/readyz", made=OLD)[0] == 200)
    with socket.create_connection(("127.0.0.1", gateway.http), 60) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP" not in line.recv(4096)
    with socket.create_connection(("127.0.0.1", gateway.http), 60):
        pass
    with socket.create_connection(("127.0.0.1", gateway.http), 60) as line, OLD.trust.wrap_socket(line, server_hostname="127.0.0.1") as tls:
        tls.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        answer = b""
        while more := tls.recv(4096):
            answer += more
        assert answer.startswith(b"HTTP/1.") and b" 200 OK" in answer and b"Server:" not in answer
    log = gateway.log.read_text()
    assert "http request (it speaks ws:// or http://" in log and "Traceback" not in log


@pytest.mark.parametrize(
    ("option", "content", "said"),
    [
        ("--http-tokens", "alice reed x", "--http-tokens: in"),
        ("--http-tls", "nonsense", "--http-tls: "),
        ("--http-tls", OLD.certificate.decode(), "add it, or name its file with --http-tls-key"),
    ],
)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_unusable_file_ends_the_start_with_one_line(tmp_path, option, content, said, workers):
    (tmp_path / "file").write_text(content)
    command = [
        str(Path(sys.executable).parent / "twistd"),
        "--pidfile=",
        "-n",
        "ocpp",
        option,
        str(tmp_path / "file"),
        "--workers",
        workers,
    ]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(Path(__file__).parents[2])}, capture_output=True, text=True)
    assert done.returncode != 0
    last = (done.stdout + done.stderr).strip().splitlines()[-1]
    assert last.startswith("twistd ocpp: --http-t") and said in last


def health(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-m", "ocpp_tw.cli", "health", *options]
    return subprocess.run(command, cwd=root, env={"PYTHONPATH": root, **environment}, capture_output=True, text=True)


def test_the_health_check_speaks_what_the_gateway_speaks(start, tmp_path):
    file = OLD.write(tmp_path / "tls.pem")
    gateway = start("--http-tls", file, wait=False)
    gateway.until(lambda: ask(gateway, "/readyz", made=OLD)[0] == 200)
    assert health("--pid", str(gateway.process.pid)).returncode == 0
    where = {"HTTP_ADDR": f"127.0.0.1:{gateway.http}"}
    assert health(HTTP_TLS_CERTIFICATE=file, **where).returncode == 0
    assert health(**where).returncode == 1


def test_idle_connections_over_tls_end_and_a_slow_answer_does_not_hold_the_stop(start, tmp_path):
    gateway = start("--http-tls", OLD.write(tmp_path / "tls.pem"), wait=False)
    gateway.until(lambda: ask(gateway, "/readyz", made=OLD)[0] == 200)
    line = OLD.trust.wrap_socket(socket.create_connection(("127.0.0.1", gateway.http), 60), server_hostname="127.0.0.1")
    line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"200 OK" in line.recv(4096)
    began = time.monotonic()
    assert gateway.stop() == 0 and time.monotonic() - began < 30
    line.close()
