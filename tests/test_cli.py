"""The command line as people use it: ``ocpp-tw`` in a process of its own, against a central system in ours."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.ssl import Certificate, PrivateCertificate
from twisted.python.failure import Failure

from certificates import Made
from simulator.station import Station, until

ROOT = Path(__file__).parents[1]


class Run(ProcessProtocol):
    """One run of the program."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.out = self.err = b""
        self.ended: Deferred[int] = Deferred()
        command = [sys.executable, "-m", "ocpp_tw.cli", *arguments]
        self.process = reactor.spawnProcess(
            self, sys.executable, command, {**os.environ, "PYTHONPATH": str(ROOT), **environment}, str(ROOT)
        )

    def outReceived(self, data: bytes) -> None:
        self.out += data

    def errReceived(self, data: bytes) -> None:
        self.err += data

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(reason.value.exitCode)


@pytest_twisted.async_yield_fixture
async def station() -> AsyncIterator[Station]:
    it = Station()
    yield it
    await it.stop()


async def test_one_charger_shows_its_steps_and_a_summary(station: Station) -> None:
    run = Run("simulate", "--url", station.url, "--speed-up", "3000")
    assert await run.ended == 0, run.err
    text = run.out.decode()
    for words in (
        "-> BootNotification",
        "-> StartTransaction",
        "Accepted",
        "StopTransaction",
        "1 started, 1 stopped",
        "errors        none",
        "p99",
    ):
        assert words in text
    assert run.err == b"" and station.handshakes[0][0] == "/charger-001"


async def test_many_chargers_and_a_summary_for_programs(station: Station) -> None:
    run = Run("simulate", "--url", station.url, "--count", "12", "--prefix", "cp", "--speed-up", "3000", "--json", OCPP_PASSWORD="s3")
    assert await run.ended == 0, run.err
    summary = json.loads(run.out)
    assert summary["transactions"] == {"started": 12, "stopped": 12} and summary["errors"]["total"] == 0 and summary["kwh"] > 60
    assert sorted(path for path, _, _ in station.handshakes)[-1] == "/cp012" and "authorization" in station.handshakes[0][2]


@pytest.mark.parametrize(("ocpp", "more"), [("2.0.1", "--flow plug"), ("2.1", "--stream")])
async def test_a_charger_of_a_later_version(ocpp: str, more: str) -> None:
    station = Station(ocpp=ocpp)
    run = Run("simulate", "--url", station.url, "--speed-up", "3000", "--ocpp", ocpp, *more.split())
    assert await run.ended == 0, run.err
    text = run.out.decode()
    first = "CablePluggedIn" if ocpp == "2.0.1" else "tag RFID-12345"
    for words in ("-> BootNotification", "-> TransactionEvent", "MeterValuePeriodic", first, "1 started, 1 stopped", "errors        none"):
        assert words in text
    assert run.err == b"" and station.handshakes[0][1] == [f"ocpp{ocpp}"]
    assert ("OpenPeriodicEventStream" in station.actions()) is (ocpp == "2.1")
    await station.stop()


@pytest.mark.parametrize(
    ("name", "member"),
    [("openapi", "paths"), ("asyncapi", "channels"), ("backend", "paths"), ("start_transaction", "allOf"), ("reset_command", "required")],
)
async def test_the_contract_for_machines_is_printed(name: str, member: str) -> None:
    run = Run("schema", name)
    assert await run.ended == 0, run.err
    assert member in json.loads(run.out) and run.err == b""


async def test_what_of_the_contract_can_be_printed_is_listed() -> None:
    run = Run("schema")
    assert await run.ended == 0, run.err
    names = run.out.decode().split()
    assert {"openapi", "asyncapi", "backend", "events", "commands", "start_transaction", "notify_report", "reset_command"} <= set(names)
    run = Run("schema", "dance")
    assert await run.ended == 2
    assert run.err.count(b"\n") == 1 and b"there is no dance" in run.err and run.out == b""


async def test_errors_make_the_status_1(station: Station) -> None:
    station.answers["Heartbeat"] = "InternalError"
    run = Run("simulate", "--url", station.url, "--speed-up", "3000", "--quiet")
    assert await run.ended == 1
    assert b"CALLERROR Heartbeat: InternalError" in run.out and b"->" not in run.out


async def test_ctrl_c_ends_with_the_summary(station: Station) -> None:
    run = Run("simulate", "--url", station.url, "--wait")
    await until(lambda: station.frames)
    run.process.signalProcess(signal.SIGINT)
    assert await run.ended == 0, run.err
    assert b"1 connections" in run.out and run.err == b""


async def test_an_unreachable_gateway_is_one_line_with_advice(station: Station) -> None:
    await station.stop()
    run = Run("simulate", "--url", station.url, "--count", "3")
    assert await run.ended == 1
    assert run.err.count(b"\n") == 1 and b"make run" in run.err and run.out == b""


async def test_a_refused_handshake_is_one_line_with_advice(station: Station) -> None:
    station.refuse = 401
    run = Run("simulate", "--url", station.url)
    assert await run.ended == 1
    assert run.err.count(b"\n") == 1 and b"HTTP 401" in run.err and b"OCPP_PASSWORD" in run.err


async def test_chargers_with_certificates_of_their_own(tmp_path: Path) -> None:
    ca = Made("ca")
    tls = PrivateCertificate.loadPEM(Made("csms", issuer=ca).pem).options(Certificate.loadPEM(ca.certificate))
    station = Station(tls)
    (tmp_path / "ca.crt").write_bytes(ca.certificate)
    for id in ("cp001", "cp002"):
        own = Made(id, issuer=ca)
        (tmp_path / f"{id}.pem").write_bytes(own.certificate)
        (tmp_path / f"{id}.key").write_bytes(own.key)
    files = ["--ca", str(tmp_path / "ca.crt"), "--certificate", str(tmp_path), "--key", str(tmp_path)]
    run = Run("simulate", "--url", station.url, "--prefix", "cp", "--count", "2", "--speed-up", "3000", "--security-profile", "3", *files)
    assert await run.ended == 0, run.err
    assert {path for path, _, _ in station.handshakes} == {"/cp001", "/cp002"}
    run = Run("simulate", "--url", station.url, "--id", "cp003", *files)
    assert await run.ended == 2 and b"cp003.pem: No such file" in run.err
    key = tmp_path / "cp001.key"
    run = Run("simulate", "--url", station.url, "--certificate", str(tmp_path / "cp002.pem"), "--key", str(key))
    assert await run.ended == 2 and b"the private key is not the certificate's" in run.err
    await station.stop()


async def test_a_certificate_that_is_not_trusted_is_one_line_with_advice() -> None:
    made = Made("csms")
    station = Station(PrivateCertificate.loadPEM(made.pem).options(Certificate.loadPEM(made.certificate)))
    for more, words in (([], b"--ca"), (["--insecure"], b"--certificate")):  # and the other way round
        run = Run("simulate", "--url", station.url, "--security-profile", "2", *more, OCPP_PASSWORD="sixteen bytes 01")
        assert await run.ended == 1
        assert run.err.count(b"\n") == 1 and words in run.err, run.err
    await station.stop()


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "dance",
        "simulate --count 0",
        "simulate --count many",
        "simulate --url http://x/",
        "simulate --url ws://x:99999/",
        "simulate --tag 123456789012345678901",
        "simulate --id a --count 2",
        "simulate --wait --transactions 3",
        "simulate --speed-up 0",
        "simulate --ocpp 2.2",
        "simulate --flow plug",
        "simulate --ocpp 2.0.1 --flow walk",
        "simulate --ocpp 2.0.1 --stream",
        "simulate --ocpp 2.1 --tag 1234567890123456789012345678901234567",
        "simulate --security-profile 4",
        "simulate --security-profile 1",
        "simulate --security-profile 1 --password x --url wss://x/",
        "simulate --security-profile 2 --password x",
        "simulate --security-profile 2 --url wss://x/",
        "simulate --security-profile 3 --url wss://x/",
        "simulate --key Makefile",
        "simulate --certificate Makefile --count 2",
        "simulate --certificate Makefile",
        "simulate --ca Makefile",
        "simulate --ca nowhere.pem",
        "simulate --tls-url ws://x/",
        "simulate --tls-url wss://x/ --ocpp 2.1",
    ],
)
async def test_wrong_usage_is_one_line_and_status_2(arguments: str) -> None:
    run = Run(*arguments.split())
    assert await run.ended == 2
    assert run.err.count(b"\n") == 1 and run.err.startswith(b"ocpp-tw"), run.err


async def test_help_and_version() -> None:
    for arguments, words in ((["--help"], b"simulate"), (["simulate", "--help"], b"--speed-up"), (["--version"], b"ocpp-tw ")):
        run = Run(*arguments)
        assert await run.ended == 0 and words in run.out


@pytest.mark.parametrize("role", ["metrics", "read", "command", "admin"])
async def test_a_new_token_is_shown_once_with_its_line_for_the_file(role: str) -> None:
    run = Run("token", "alice", role)
    assert await run.ended == 0, run.err
    shown, line = (each.partition(": ")[2] for each in run.out.decode().splitlines())
    assert line == f"alice {role} {hashlib.sha256(shown.encode()).hexdigest()}"


@pytest.mark.parametrize(("arguments", "said"), [(("a b", "read"), "a name has"), (("alice", "root"), "root"), (("alice",), "ROLE")])
async def test_a_token_needs_a_name_and_a_role(arguments: tuple[str, ...], said: str) -> None:
    run = Run("token", *arguments)
    assert await run.ended == 2 and said in run.err.decode() and run.out == b""
