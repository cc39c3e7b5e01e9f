"""A gateway process with TLS: third-party clients, certificates that change, and unusable files and peers."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import websockets

from certificates import Made, revocation_list, shown
from fleets import PATIENCE

pytestmark = pytest.mark.live

OLD, NEW = Made("old"), Made("new")
BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}


def connect(gateway: Any, id: str = "cp1", made: Made = OLD) -> Any:
    return websockets.connect(f"wss://127.0.0.1:{gateway.port}/{id}", subprotocols=["ocpp1.6"], ssl=made.trust)


async def call(line: Any, action: str = "Heartbeat", payload: Any = None) -> Any:
    await line.send(json.dumps([2, action, action, payload or {}]))
    return json.loads(await asyncio.wait_for(line.recv(), PATIENCE))


def log(gateway: Any, text: str = "TLS handshake") -> list[str]:
    return [line for line in gateway.log.read_text().splitlines() if text in line]


@pytest.fixture
def gateway(start, tmp_path):
    return start("--tls", OLD.write(tmp_path / "tls.pem"), "--handshake-timeout", "1")


def test_a_third_party_charger_is_served(gateway, events):
    async def scenario() -> None:
        async with connect(gateway) as line:
            assert (await call(line, "BootNotification", BOOT))[2]["status"] == "Accepted"
            big = {"connectorId": 1, "meterValue": [{"timestamp": "2024-01-01T00:00:00Z", "sampledValue": [{"value": "1"}] * 3000}]}
            assert (await call(line, "MeterValues", big))[:2] == [3, "MeterValues"]
            status, answer = await asyncio.to_thread(gateway.get, "/api/chargers/cp1")
            assert status == 200 and answer["connected"]
            await asyncio.wait_for(await line.ping(), PATIENCE)

    asyncio.run(scenario())
    (connected,) = [each for each in events() if each["event"] == "connect_charger"]
    assert connected["data"]["remote_address"] == "127.0.0.1" and connected["data"]["security_profile"] == 0
    assert gateway.stop() == 0
    text = gateway.log.read_text()
    assert f"chargers over TLS at 127.0.0.1:{gateway.port}" in text and "CN=old" in text and "Traceback" not in text


def test_the_simulator_connects(gateway, events):
    url = f"wss://127.0.0.1:{gateway.port}/"
    command = [Path(sys.executable).parent / "ocpp-tw", "simulate", "--url", url, "--insecure", "--speed-up", "3000"]
    subprocess.run(command, timeout=2 * PATIENCE, check=True, capture_output=True)
    assert {"boot_notification", "start_transaction", "stop_transaction"} <= {each["event"] for each in events()}


def test_a_certificate_is_replaced_while_chargers_stay(gateway, tmp_path):
    """F23."""

    async def scenario() -> None:
        async with connect(gateway) as line:
            NEW.write(tmp_path / "tls.pem")
            gateway.process.send_signal(signal.SIGHUP)
            await asyncio.to_thread(gateway.until, lambda: shown(gateway.port) == NEW.number)
            async with connect(gateway, "cp2", NEW) as other:
                assert (await call(other))[0] == 3
            assert (await call(line))[0] == 3
            # and an unusable one changes nothing
            (tmp_path / "tls.pem").write_bytes(OLD.certificate)
            gateway.process.send_signal(signal.SIGHUP)
            await asyncio.to_thread(gateway.until, lambda: log(gateway, "certificate for chargers not reloaded"))
            assert await asyncio.to_thread(shown, gateway.port) == NEW.number
            assert (await call(line))[0] == 3

    asyncio.run(scenario())
    assert gateway.stop() == 0


def test_workers_serve_tls_and_all_use_the_new_certificate(start, tmp_path):
    gateway = start("--workers", "2", "--tls", OLD.write(tmp_path / "tls.pem"))

    async def connect_some(made: Made, begin: int) -> None:
        lines = await asyncio.gather(*(connect(gateway, f"cp{number}", made) for number in range(begin, begin + 16)))
        assert all([(await call(line))[0] == 3 for line in lines])
        spread = (await asyncio.to_thread(gateway.get, "/healthz"))[1]["workers"]
        assert len(spread) == 2 and all(spread.values())
        for line in lines:
            await line.close()

    asyncio.run(connect_some(OLD, 0))
    NEW.write(tmp_path / "tls.pem")
    gateway.process.send_signal(signal.SIGHUP)
    gateway.until(lambda: len(log(gateway, "CN=new")) == 2)
    assert {shown(gateway.port) for _ in range(20)} == {NEW.number}
    asyncio.run(connect_some(NEW, 20))
    assert gateway.stop() == 0
    assert "Traceback" not in gateway.log.read_text()


def test_workers_behind_a_proxy_that_ends_tls_read_the_authorities_again_too(start, tmp_path):
    (tmp_path / "ca.pem").write_bytes(OLD.certificate)
    behind = "--trusted-proxies", "127.0.0.1", "--proxy-certificate-header", "X-SSL-Client-Cert"
    gateway = start("--workers", "2", "--tls-client-ca", str(tmp_path / "ca.pem"), *behind)
    before = len(log(gateway, "1 authorities"))
    gateway.process.send_signal(signal.SIGHUP)
    gateway.until(lambda: len(log(gateway, "1 authorities")) == before + 2)
    assert gateway.stop() == 0


@pytest.mark.parametrize("workers", [(), ("--workers", "2")])
def test_unusable_files_end_the_start_with_one_line(start, tmp_path, workers):
    made = tmp_path / "tls.pem"
    made.write_bytes(OLD.certificate + NEW.key)
    gateway = start("--tls", str(made), *workers, wait=False)
    assert gateway.process.wait(PATIENCE) == 1
    text = gateway.log.read_text()
    assert "Traceback" not in text
    assert len(re.findall("--tls: the private key in .* does not belong to the first certificate", text)) == 1


def test_a_charger_with_any_certificate_completes_its_tls_handshake(start, tmp_path):
    """Whether it is to be trusted is decided after that: who has shown its own is not admitted without it any more. A revocation list is
    read again while the gateway runs."""
    root = Made("root")
    files = {"ca.pem": root.certificate, "crl.pem": revocation_list(root)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    named = "--tls-client-ca", str(tmp_path / "ca.pem"), "--tls-client-crl", str(tmp_path / "crl.pem")
    gateway = start("--tls", OLD.write(tmp_path / "tls.pem"), *named)

    async def scenario() -> None:
        for id, made in (("cp1", Made("cp1", issuer=root, authority=False)), ("cp2", Made("stranger")), ("cp1", Made("stranger"))):
            trust = OLD.proving(made, root, file=tmp_path / "charger.pem")
            url = f"wss://127.0.0.1:{gateway.port}/{id}"
            try:
                async with websockets.connect(url, subprotocols=["ocpp1.6"], ssl=trust) as line:
                    seen.append((id, (await call(line))[0]))
            except websockets.InvalidStatus as why:
                seen.append((id, why.response.status_code))

    seen: list[tuple[str, int]] = []
    asyncio.run(scenario())
    assert seen == [("cp1", 3), ("cp2", 3), ("cp1", 403)]
    (tmp_path / "crl.pem").write_bytes(revocation_list(root, begin=-9, days=2))
    gateway.process.send_signal(signal.SIGHUP)
    gateway.until(lambda: log(gateway, "revocation list of CN=root has expired"))
    assert gateway.stop() == 0 and "Traceback" not in gateway.log.read_text()


def test_an_expired_certificate_is_used_with_a_warning(start, tmp_path):
    """F23."""
    gateway = start(environment={"TLS_CERTIFICATE": (made := Made("gone", begin=-20)).write(tmp_path / "tls.pem")})
    assert shown(gateway.port) == made.number
    assert log(gateway, "has expired")


def test_a_silent_peer_is_dropped_in_time(gateway):
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as line:
        before = time.monotonic()
        with suppress(ConnectionResetError):
            while line.recv(100):
                pass
        assert 0.5 < time.monotonic() - before < PATIENCE
    assert not log(gateway)


def test_plain_http_is_refused_and_logged(gateway):
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as line:
        line.sendall(b"GET /cp1 HTTP/1.1\r\nHost: x\r\n\r\n")
        with suppress(ConnectionResetError):
            while line.recv(100):
                pass
    gateway.until(lambda: log(gateway))
    (logged,) = log(gateway)
    assert "127.0.0.1" in logged and "http request" in logged
    assert "Traceback" not in gateway.log.read_text()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1")
@pytest.mark.parametrize("workers", [(), ("--workers", "2")])
def test_one_port_serves_ws_and_wss_if_asked_to(start, tmp_path, workers):
    gateway = start("--tls", OLD.write(tmp_path / "tls.pem"), "--tls-only", "no", *workers)

    async def scenario() -> None:
        plain = websockets.connect(f"ws://127.0.0.1:{gateway.port}/cp2", subprotocols=["ocpp1.6"])
        async with connect(gateway) as line, plain as other:
            big = {"connectorId": 1, "meterValue": [{"timestamp": "2024-01-01T00:00:00Z", "sampledValue": [{"value": "1"}] * 3000}]}
            for each in (line, other):
                assert (await call(each, "BootNotification", BOOT))[2]["status"] == "Accepted"
                assert (await call(each, "MeterValues", big))[:2] == [3, "MeterValues"]

    asyncio.run(scenario())
    assert gateway.stop() == 0
    text = gateway.log.read_text()
    assert f"chargers, over TLS or without at 127.0.0.1:{gateway.port}" in text and "Traceback" not in text


def test_behind_a_trusted_proxy_events_have_the_chargers_address(start, events):
    """Third-party clients say what a proxy says; by headers here."""
    gateway = start("--trusted-proxies", "127.0.0.0/8")

    async def scenario() -> None:
        url, said = f"ws://127.0.0.1:{gateway.port}/cp1", {"X-Forwarded-For": "10.0.0.1, 198.51.100.5", "X-Forwarded-Proto": "https"}
        async with websockets.connect(url, subprotocols=["ocpp1.6"], additional_headers=said) as line:
            assert (await call(line))[0] == 3

    asyncio.run(scenario())
    (connected,) = [each for each in events() if each["event"] == "connect_charger"]
    assert connected["data"]["remote_address"] == "198.51.100.5"


def test_the_proxy_protocol_comes_before_everything(start, events, tmp_path):
    gateway = start("--tls", OLD.write(tmp_path / "tls.pem"), "--trusted-proxies", "127.0.0.1", "--proxy-protocol", "yes")

    async def scenario() -> None:
        with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as raw:
            raw.sendall(b"PROXY TCP4 198.51.100.5 192.0.2.1 1234 443\r\n")
            raw.setblocking(False)
            url = f"wss://127.0.0.1:{gateway.port}/cp1"
            async with websockets.connect(url, subprotocols=["ocpp1.6"], ssl=OLD.trust, server_hostname="127.0.0.1", sock=raw) as line:
                assert (await call(line))[0] == 3
        with pytest.raises((OSError, EOFError)):
            await connect(gateway)

    asyncio.run(scenario())
    (connected,) = [each for each in events() if each["event"] == "connect_charger"]
    assert connected["data"]["remote_address"] == "198.51.100.5"
    gateway.until(lambda: log(gateway, "connections of proxies dropped"))


def test_old_versions_are_refused(gateway):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as line, pytest.raises(ssl.SSLError, match="protocol version"):
        context.wrap_socket(line)
    gateway.until(lambda: log(gateway))
    assert "unsupported protocol" in log(gateway)[0]


class TwoKinds:
    """A gateway with an RSA and an EC certificate, each by an authority of its own kind, and what OpenSSL's client says of it."""

    def __init__(self, start: Any, directory: Path) -> None:
        files = []
        for kind in ("2048", "ec"):
            middle = Made(f"{kind} authority", kind, issuer=Made(f"{kind} root", kind))
            made = Made(kind, kind, issuer=middle)
            (directory / f"{kind}.pem").write_bytes(made.certificate + middle.certificate + made.key)
            files.append(str(directory / f"{kind}.pem"))
        self.gateway = start("--tls", ",".join(files))

    def offered(self, *options: str) -> str:
        client = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.gateway.port}", "-showcerts", *options]
        done = subprocess.run(client, input=b"", capture_output=True, timeout=PATIENCE)
        return (done.stdout + done.stderr).decode("utf-8", "replace").replace("CN = ", "CN=")


@pytest.fixture
def two_kinds(start, tmp_path):
    if not which("openssl"):
        pytest.skip("the openssl command, which plays old chargers here, is not installed")
    return TwoKinds(start, tmp_path)


def test_a_charger_gets_the_certificate_that_it_supports(two_kinds):
    """2.0.1 A00.FR.318: all four suites at one port; each certificate with its own chain, and not the other's."""
    suites = {
        "ECDHE-ECDSA-AES128-GCM-SHA256": "ec",
        "ECDHE-ECDSA-AES256-GCM-SHA384": "ec",
        "AES128-GCM-SHA256": "2048",
        "AES256-GCM-SHA384": "2048",
        "ECDHE-RSA-AES128-GCM-SHA256": "2048",
    }
    for suite, kind in suites.items():
        said = two_kinds.offered("-tls1_2", "-cipher", suite)
        assert f"TLSv1.2, Cipher is {suite}" in said
        assert re.findall(r"^ *\d s:(.*)$", said, re.MULTILINE) == [f"CN={kind}", f"CN={kind} authority"]
    for version in "-tls1_2", "-tls1_3":
        for algorithms, kind in {"RSA-PSS+SHA256:RSA+SHA256": "2048", "ECDSA+SHA256": "ec", "ECDSA+SHA256:RSA-PSS+SHA256": "ec"}.items():
            said = two_kinds.offered(version, "-sigalgs", algorithms)
            assert re.findall(r"^ *\d s:(.*)$", said, re.MULTILINE) == [f"CN={kind}", f"CN={kind} authority"], (version, algorithms)


def test_a_charger_that_supports_neither_certificate_or_no_new_tls_is_refused(two_kinds):
    for version in "-tls1", "-tls1_1":
        assert "alert protocol version" in two_kinds.offered(version, "-cipher", "ALL:@SECLEVEL=0")
    for suite in "ECDHE-RSA-AES128-SHA", "AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256":
        assert "handshake failure" in two_kinds.offered("-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0")
    assert len(log(two_kinds.gateway, "unsupported protocol")) == 2


def test_without_tls_sighup_ends_the_gateway(start):
    gateway = start()
    assert gateway.stop(signal.SIGHUP) == -signal.SIGHUP
