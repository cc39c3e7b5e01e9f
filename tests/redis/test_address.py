"""Addresses of a Redis, and the probe."""

from __future__ import annotations

import datetime
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet import protocol, reactor, ssl

from fleets import Valkey, free_port, pause, soon, until
from ocpp_tw.redis import Connection, RedisAddress, RedisStore, probe
from ocpp_tw.settings import Settings


@pytest.mark.parametrize(
    "url, where, shown",
    [
        ("redis://h", RedisAddress("h"), "redis://h:6379/0"),
        ("redis://h:1234/5", RedisAddress("h", 1234, db=5), "redis://h:1234/5"),
        ("redis://:p%40ss@h", RedisAddress("h", password="p@ss"), "redis://h:6379/0"),
        ("rediss://u:p@[::1]:7", RedisAddress("::1", 7, tls=True, username="u", password="p"), "rediss://[::1]:7/0"),
        (
            "redis+sentinel://u:p%40@h,[::1]:7/main",
            RedisAddress("h", 26379, username="u", password="p@", service="main", sentinels=(("h", 26379), ("::1", 7))),
            "redis+sentinel://h:26379,[::1]:7/main/0",
        ),
        (
            "rediss+sentinel://h:1/main/3",
            RedisAddress("h", 1, tls=True, db=3, service="main", sentinels=(("h", 1),)),
            "rediss+sentinel://h:1/main/3",
        ),
        ("unix:///run/redis.sock", RedisAddress(path="/run/redis.sock"), "unix:///run/redis.sock"),
        ("unix://:pw@/run/redis.sock", RedisAddress(path="/run/redis.sock", password="pw"), "unix:///run/redis.sock"),
    ],
)
def test_urls_are_read_and_shown_without_their_password(url, where, shown):
    assert RedisAddress.of(url) == where
    assert str(where) == shown


def test_the_database_of_the_settings_is_for_urls_without_one():
    assert (RedisAddress.of("redis://h", 4).db, RedisAddress.of("redis://h/2", 4).db) == (4, 2)


@pytest.mark.parametrize("url", ["http://h", "redis://", "unix://", "redis://h/first", "redis+sentinel://h", "redis+sentinel:///x"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ValueError):
        RedisAddress.of(url)


def test_a_gateway_needs_a_name():
    with pytest.raises(ValueError, match="name"):
        RedisStore(Settings(redis="redis://h"), reactor)


async def test_a_server_is_found(clean):
    assert await soon(probe(reactor, clean.url))
    clean("CONFIG", "SET", "requirepass", "pw")
    clean.password = "pw"
    assert await soon(probe(reactor, f"redis://localhost:{clean.port}"))
    clean("CONFIG", "SET", "requirepass", "")
    clean.password = ""


async def test_nothing_is_found_where_nothing_listens():
    assert not await soon(probe(reactor, f"redis://127.0.0.1:{free_port()}"))


async def test_nothing_is_found_where_another_server_answers_or_none_does():
    class Rude(protocol.Protocol):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(b"HTTP/1.1 400 what?\r\n\r\n")

    for made in (protocol.Protocol, Rude):
        port = reactor.listenTCP(0, protocol.Factory.forProtocol(made), interface="127.0.0.1")
        began = time.monotonic()
        assert not await soon(probe(reactor, f"redis://127.0.0.1:{port.getHost().port}", 0.2))
        assert time.monotonic() - began < 20  # given up, not waited for
        await port.stopListening()


async def test_a_unix_socket_is_connected_to(tmp_path):
    server = Valkey(tmp_path, "--unixsocket", "s")
    connection = Connection(reactor, RedisAddress.of(f"unix://{tmp_path}/s"))
    connection.startService()
    assert await soon(connection.send("PING")) == b"PONG"
    await connection.stopService()
    server.close()


async def test_an_untrusted_certificate_is_refused():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
    certificate = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False).sign(key, hashes.SHA256())
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    pem += key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    heard: list[bytes] = []

    class Server(protocol.Protocol):
        def dataReceived(self, data: bytes) -> None:
            heard.append(data)
            self.transport.write(b"+PONG\r\n")

    context = ssl.PrivateCertificate.loadPEM(pem).options()
    port = reactor.listenSSL(0, protocol.Factory.forProtocol(Server), context, interface="127.0.0.1")
    connection = Connection(reactor, RedisAddress.of(f"rediss://:secret@localhost:{port.getHost().port}"))
    connection.startService()
    await until(lambda: connection.trouble != "there was no connection yet")
    await pause(0.1)
    assert connection.client is None
    assert not heard
    await connection.stopService()
    await port.stopListening()
