"""Behind a trusted proxy a charger's own address, TLS and certificate count; from anywhere else nobody is believed."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

from certificates import Made
from ocpp_tw.read_settings import read
from ocpp_tw.settings import InvalidSetting, Settings
from ocpp_tw.websocket.client_certificates import Authorities
from ocpp_tw.websocket.proxies import Proxies
from proxy_headers import version_2
from tls_peer import MADE, TlsServer
from websocket_peer import PeerConnection, Server, client_close, request

PROXY, INNER_PROXY, STRANGER, CHARGER = "192.0.2.7", "192.0.2.8", "203.0.113.9", "198.51.100.5"
TRUSTED = ("192.0.2.0/24",)
ROOT = Made("root")
OWN = Made("cp1", issuer=ROOT, authority=False)
MIDDLE = Made("middle", issuer=ROOT)
DEEP = Made("cp1", issuer=MIDDLE, authority=False)
ALIEN = Made("cp1", issuer=Made("alien"), authority=False)
HEADER = "X-SSL-Client-Cert"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def start(kind: Any = Server, *arguments: Any, **more: Any) -> Server:
        (tmp_path / "ca.pem").write_bytes(ROOT.certificate)
        settings = {"trusted_proxies": TRUSTED, **more}
        made.append(server := kind(*arguments, **settings))
        settings = {name: value for name, value in settings.items() if name != "plain_too"}
        server.factory.proxies = Proxies(Settings(**settings), Authorities([str(tmp_path / "ca.pem")], [], Clock()))
        return server

    yield start
    for server in made:
        server.close()


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    lines: list[str] = []

    def watch(event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.warn:
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(watch)
    yield lines
    globalLogPublisher.removeObserver(watch)


def ask(server: Server, *headers: str, address: str = PROXY) -> PeerConnection:
    connection = server.connect(address=address)
    connection.answer = connection.exchange(request("/cp1", *[each.encode() for each in headers]))  # type: ignore[attr-defined]
    return connection


# headers


@pytest.mark.parametrize(
    ("headers", "address", "tls"),
    [
        ((), PROXY, False),
        ((f"X-Forwarded-For: {CHARGER}",), CHARGER, False),
        ((f"X-Forwarded-For: {CHARGER}", "X-Forwarded-Proto: https"), CHARGER, True),
        ((f"X-Forwarded-For: {CHARGER}", "X-Forwarded-Proto: WSS"), CHARGER, True),
        ((f"X-Forwarded-For: {CHARGER}", "X-Forwarded-Proto: http"), CHARGER, False),
        ((f"X-Forwarded-For: {CHARGER}:1234",), CHARGER, False),
        (("X-Forwarded-For: [2001:db8::5]:1234",), "2001:db8::5", False),
        (("X-Forwarded-For: 2001:db8::5",), "2001:db8::5", False),
        ((f"X-Forwarded-For: ::ffff:{CHARGER}",), CHARGER, False),
        # what the charger has said itself comes first, and does not count
        ((f"X-Forwarded-For: 10.0.0.1, {CHARGER}",), CHARGER, False),
        (("X-Forwarded-For: 10.0.0.1", f"X-Forwarded-For: {CHARGER}"), CHARGER, False),
        ((f"X-Forwarded-For: {CHARGER}", "X-Forwarded-Proto: https, http"), CHARGER, False),
        ((f"X-Forwarded-For: {CHARGER}", "X-Forwarded-Proto: https, https"), CHARGER, True),
        # several proxies
        ((f"X-Forwarded-For: 10.0.0.1, {CHARGER}, {INNER_PROXY}",), CHARGER, False),
        ((f"X-Forwarded-For: {INNER_PROXY}",), INNER_PROXY, False),
        ((f"X-Forwarded-For: {CHARGER}, unknown",), PROXY, False),
        ((f"X-Forwarded-For: {CHARGER}, unknown, {INNER_PROXY}",), INNER_PROXY, False),
        # RFC 7239
        ((f"Forwarded: for={CHARGER};proto=https;by=x",), CHARGER, True),
        (('Forwarded: For="[2001:db8::5]:47011"; Proto=http',), "2001:db8::5", False),
        ((f"Forwarded: for=10.0.0.1;proto=https, for={CHARGER};proto=http",), CHARGER, False),
        ((f"Forwarded: for={CHARGER}", f"X-Forwarded-For: {CHARGER}", "X-Forwarded-Proto: https"), CHARGER, True),
        (("Forwarded: for=_hidden;proto=https",), PROXY, True),
        (("X-Forwarded-Proto: https",), PROXY, True),
    ],
)
def test_what_a_trusted_proxy_says_counts(serve: Any, headers: tuple[str, ...], address: str, tls: bool) -> None:
    server = serve()
    assert ask(server, *headers).answer.startswith(b"HTTP/1.1 101 ")
    (told,) = server.admissions.requests
    assert (told.address, told.tls, told.certificate) == (address, tls, None)


@pytest.mark.parametrize("header", ["X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1;proto=https", "X-Forwarded-Proto: https"])
@pytest.mark.parametrize("proxies", [(), TRUSTED, ("2001:db8::/32",)])
def test_nobody_else_is_believed(serve: Any, proxies: tuple[str, ...], header: str) -> None:
    server = serve(trusted_proxies=proxies, proxy_certificate_header=HEADER)
    ask(server, header, f"{HEADER}: {quote(OWN.certificate)}", address=STRANGER)
    (told,) = server.admissions.requests
    assert (told.address, told.tls, told.certificate) == (STRANGER, False, None)


@pytest.mark.parametrize(
    "headers",
    [
        (f"X-Forwarded-For: {CHARGER}", "Forwarded: for=10.0.0.1"),
        (f"X-Forwarded-For: {CHARGER}", 'Forwarded: for="10.0.0.1'),
        ("Forwarded: ;;;",),
    ],
)
def test_headers_that_contradict_each_other_are_refused(serve: Any, headers: tuple[str, ...]) -> None:
    """Of two ways to say it the proxy sets one, and the other is the charger's."""
    server = serve()
    assert ask(server, *headers).answer.startswith(b"HTTP/1.1 400 ")
    assert not server.admissions.requests and server.calls[0][0] == "refused"


PEM = OWN.certificate.decode()
DER = b64encode(OWN.made.public_bytes(Encoding.DER)).decode()


@pytest.mark.parametrize(
    ("value", "trouble"),
    [
        (quote(PEM), ""),
        (quote(PEM, safe="/+="), ""),
        (PEM.strip().replace("\n", " "), ""),
        (f":{DER}:", ""),
        (DER, ""),
        (f'By=spiffe://x;Hash=ab;Cert="{quote(PEM)}";Subject="CN=cp1,O=x"', ""),
        (f'Hash=ab; Cert="{quote(PEM)}" ; Subject="CN=x\\"\\,\\;\\C3\\A9, O=\\\\";URI=urn:x?a=b;DNS=cp1.example', ""),
        (f'By=spiffe://x;By=spiffe://y;Hash=ab;Cert="{quote(PEM)}";URI=urn:x;URI=urn:y;DNS=a.example;DNS=b.example', ""),
        (f'Subject="CN=cp1";cert={quote(PEM, safe="/+=")}', ""),
        (f'Hash=ab;Chain="{quote(DEEP.certificate + MIDDLE.certificate)}";URI=', ""),
        (quote(DEEP.certificate), "no trusted authority has issued it: CN=middle is unknown"),
        (quote(ALIEN.certificate), "no trusted authority has issued it: CN=alien is unknown"),
        (f'Cert="{quote(PEM)}",Cert="{quote(PEM)}"', "the proxy's header has no certificate that can be read, or more than one"),
        (f"{quote(PEM)}, {DER}", "the proxy's header has no certificate that can be read, or more than one"),
        (f"{quote(PEM)}, {quote(PEM)}", "the proxy's header has no certificate that can be read, or more than one"),
        (f'Cert={quote(PEM)}, By=x;Chain="{quote(PEM)}"', "the proxy's header has no certificate that can be read, or more than one"),
        (f'Cert="{quote(PEM)}, By=x;Chain="{quote(PEM)}"', "the proxy's header has no certificate that can be read, or more than one"),
        (f'Hash=ab;Cert="{quote(PEM)}";Chain="{quote(PEM)}"', ""),
        ("nonsense", "the certificate that the proxy sends cannot be read"),
        ("???", "the proxy's header has no certificate that can be read, or more than one"),
        ("-----BEGIN CERTIFICATE-----", "the proxy's header has no certificate that can be read, or more than one"),
    ],
)
def test_the_proxys_certificate_is_verified_by_us(serve: Any, value: str, trouble: str) -> None:
    server = serve(proxy_certificate_header=HEADER)
    ask(server, f"X-Forwarded-For: {CHARGER}", "X-Forwarded-Proto: https", f"{HEADER}: {value}")
    told = server.admissions.requests[0].certificate
    assert told is not None and told.trouble == trouble
    assert told.common_name == ("cp1" if not trouble or "authority" in trouble else "")


SHOWN, VICTIM = quote(ALIEN.certificate, safe=""), quote(PEM, safe="")
UNREADABLE = "the proxy's header has no certificate that can be read, or more than one"


@pytest.mark.parametrize(
    "value",
    [
        f'Hash=ab;Cert="{SHOWN}";Subject="description=x\\;Cert={VICTIM}"',
        f'Hash=ab;Cert="{SHOWN}";Subject="CN=x;Cert={VICTIM}";URI=',
        f'Hash=ab;Cert="{SHOWN}";Subject="CN=x\\";Cert={VICTIM};b=\\""',
        f'Hash=ab;Cert="{SHOWN}";Subject="CN=x\\\\, Cert={VICTIM}"',
    ],
)
def test_a_certificate_that_a_charger_has_written_into_its_own_names_is_not_taken_for_its_own(serve: Any, value: str) -> None:
    """Envoy quotes the subject, and escapes what is in it; whose certificate it is says Cert alone."""
    server = serve(proxy_certificate_header=HEADER)
    ask(server, f"X-Forwarded-For: {CHARGER}", "X-Forwarded-Proto: https", f"{HEADER}: {value}")
    told = server.admissions.requests[0].certificate
    assert told is not None and told.trouble == "no trusted authority has issued it: CN=alien is unknown"


@pytest.mark.parametrize(
    "value",
    [
        f'Hash=ab;Cert="{SHOWN}";URI=urn:x;Cert={VICTIM}',
        f'Hash=ab;Cert="{SHOWN}";DNS=a;cert="{VICTIM}"',
        f'Hash=ab;Chain="{SHOWN}";URI=urn:x;Cert={VICTIM}',
        f"Hash=ab;DNS=a;Chain={VICTIM}",
        f'Hash=ab;Cert="{SHOWN}";URI=urn:x;URI=urn:y;DNS=a;DNS=b;Cert={VICTIM}',
        f'Hash=ab;URI=urn:x;URI=urn:y;Chain="{VICTIM}"',
        f'By=x;By=y;Hash=ab;Cert="{SHOWN}";Cert="{VICTIM}"',
        f'Hash=ab;Cert="{VICTIM}";Subject="CN=x";Subject="CN=y"',
        f'Hash=ab;Hash=cd;Cert="{VICTIM}"',
        f'Cert="{VICTIM}";Subject="CN=x',
        f'Cert="{VICTIM}";Subject="CN=x"y',
        f'Cert="{VICTIM}";Subject=CN\\;a=b',
        f'Cert="{VICTIM}";',
        f'Cert="{VICTIM}";nonsense',
        f';Cert="{VICTIM}"',
        f'"x";Cert="{VICTIM}"',
        f"x-y=a;Cert={VICTIM}",
        f"x{VICTIM}",
        f'Cert="x;{VICTIM}"',
        f'Hash=ab;Cert="{VICTIM}",Hash=cd',
        f'Hash=ab,Cert="{VICTIM}"',
        'Hash=ab;Subject="CN=cp1"',
    ],
)
def test_a_header_that_can_be_read_in_two_ways_or_not_to_its_end_has_no_certificate(serve: Any, value: str) -> None:
    """Envoy does not quote URI and DNS, which the charger has chosen."""
    server = serve(proxy_certificate_header=HEADER)
    ask(server, f"X-Forwarded-For: {CHARGER}", "X-Forwarded-Proto: https", f"{HEADER}: {value}")
    told = server.admissions.requests[0].certificate
    assert told is not None and (told.trouble, told.common_name) == (UNREADABLE, "")


@pytest.mark.parametrize("value", ["", "-", "(null)"])
def test_what_proxies_send_in_place_of_a_certificate_is_none(serve: Any, value: str) -> None:
    server = serve(proxy_certificate_header=HEADER)
    ask(server, f"X-Forwarded-For: {CHARGER}", f"{HEADER}: {value}")
    assert server.admissions.requests[0].certificate is None


def test_the_proxys_own_tls_and_certificate_are_not_the_chargers(serve: Any, tmp_path: Path) -> None:
    """Between proxy and gateway there may be TLS as well."""
    (tmp_path / "root.pem").write_bytes(ROOT.certificate)
    server = serve(TlsServer, tmp_path, Authorities([str(tmp_path / "root.pem")], [], Clock()))
    context = MADE.proving(OWN, file=tmp_path / "own.pem")
    server.connect_tls(context, PROXY).handshake().exchange(request("/cp1", f"X-Forwarded-For: {CHARGER}".encode()))
    server.connect_tls(context, STRANGER).handshake().exchange(request("/cp1", f"X-Forwarded-For: {CHARGER}".encode()))
    by_proxy, direct = server.admissions.requests
    assert (by_proxy.address, by_proxy.tls, by_proxy.certificate) == (CHARGER, False, None)
    assert direct.address == STRANGER and direct.tls and direct.certificate.trouble == ""


# the limits for each address


def counts(server: Server) -> dict[str, tuple[int, int]]:
    """Connections, and handshakes among them, of each address."""
    return {host: (each.connections, each.handshakes) for host, each in server.factory.addresses._known.items()}


def test_each_charger_behind_a_proxy_counts_for_itself(serve: Any) -> None:
    server = serve(max_connections_per_address=2)
    known = [ask(server, f"X-Forwarded-For: {address}") for address in (CHARGER, CHARGER, STRANGER)]
    half = server.connect(address=PROXY)
    assert counts(server) == {CHARGER: (2, 0), STRANGER: (1, 0), PROXY: (1, 1)}
    third = ask(server, f"X-Forwarded-For: {CHARGER}")
    assert third.answer.startswith(b"HTTP/1.1 503 too many connections from this address")
    assert server.calls[-1][0] == "refused" and third.peer.lost
    known[0].exchange(client_close())
    known[0].disconnect()
    assert ask(server, f"X-Forwarded-For: {CHARGER}").answer.startswith(b"HTTP/1.1 101 ")
    half.disconnect()
    assert counts(server) == {CHARGER: (2, 0), STRANGER: (1, 0)}
    assert (server.factory.addresses.connections, server.factory.addresses.handshakes) == (3, 0)


def test_until_its_head_has_come_a_connection_counts_as_the_proxys(serve: Any) -> None:
    """Else whoever gets there could have any number of half handshakes."""
    server = serve(max_handshakes_per_address=3)
    for _ in range(3):
        server.connect(address=PROXY)
    assert server.factory.buildProtocol(server.connections[0].transport.getPeer()) is None
    server.connections[0].exchange(request("/cp1", f"X-Forwarded-For: {CHARGER}".encode()))
    server.connect(address=PROXY)
    assert server.factory.addresses.handshakes == 3


def test_a_handshake_that_waits_for_the_gate_counts_as_the_chargers(serve: Any) -> None:
    server = serve(max_handshakes_per_address=2)
    from twisted.internet.defer import Deferred

    async def never() -> Any:
        await Deferred()

    server.admissions.decide = lambda handshake, wire: never()
    for _ in range(2):
        assert ask(server, f"X-Forwarded-For: {CHARGER}").answer == b""
    assert counts(server) == {CHARGER: (2, 2)}
    assert ask(server, f"X-Forwarded-For: {CHARGER}").answer.startswith(b"HTTP/1.1 503 ")


# the PROXY protocol


@pytest.mark.parametrize("piece", [1, 5, 1000])
@pytest.mark.parametrize("announced", [f"PROXY TCP4 {CHARGER} 192.0.2.1 1234 443\r\n".encode(), version_2(CHARGER)])
def test_a_trusted_proxy_announces_who_connects(serve: Any, announced: bytes, piece: int) -> None:
    """However it is cut; headers are the charger's own then, and do not count."""
    server = serve(proxy_protocol=True)
    connection = server.connect(address=PROXY)
    said = announced + request("/cp1", b"X-Forwarded-For: 10.0.0.1", b"X-Forwarded-Proto: https")
    answer = connection.exchange(*(said[at : at + piece] for at in range(0, len(said), piece)))
    assert answer.startswith(b"HTTP/1.1 101 ")
    (told,) = server.admissions.requests
    assert (told.address, told.tls, told.certificate) == (CHARGER, False, None) and counts(server) == {CHARGER: (1, 0)}


@pytest.mark.parametrize(
    ("tls", "certificate", "trouble"),
    [
        (None, None, None),
        (False, None, None),
        (True, None, None),
        (True, OWN.made.public_bytes(Encoding.DER), ""),
        (True, ALIEN.made.public_bytes(Encoding.DER), "no trusted authority has issued it: CN=alien is unknown"),
        (True, b"nonsense", "the certificate that the proxy sends cannot be read"),
        (True, b"", "the proxy has seen a certificate, and does not send it (PP2_SUBTYPE_SSL_CLIENT_CERT)"),
    ],
)
def test_it_announces_tls_and_the_certificate_too(serve: Any, tls: bool | None, certificate: bytes | None, trouble: str | None) -> None:
    server = serve(proxy_protocol=True)
    server.connect(address=PROXY).exchange(version_2("2001:db8::5", tls, certificate) + request())
    (told,) = server.admissions.requests
    assert told.address == "2001:db8::5" and told.tls == bool(tls)
    assert (told.certificate and told.certificate.trouble) == trouble


@pytest.mark.parametrize("said", [b"PROXY UNKNOWN\r\n", version_2("")])
def test_what_the_proxy_asks_itself_is_its_own(serve: Any, said: bytes) -> None:
    server = serve(proxy_protocol=True)
    server.connect(address=PROXY).exchange(said + request())
    assert server.admissions.requests[0].address == PROXY


@pytest.mark.parametrize(
    "said", [request(), b"PROXY nonsense\r\n", b"PROXY " + b"x" * 200, version_2(CHARGER)[:13] + b"\x11\xff\xff", b"\x16\x03\x01"]
)
def test_without_it_a_trusted_proxy_is_not_served(serve: Any, warnings: list[str], said: bytes) -> None:
    server = serve(proxy_protocol=True)
    connection = server.connect(address=PROXY)
    connection.exchange(said)
    assert connection.transport.aborted and not server.calls
    server.connect(address=PROXY).exchange(said)
    assert len(warnings) == 1 and warnings[0].startswith(f"connections of proxies dropped (--proxy-protocol): 1, the last from {PROXY}: i")


def test_from_nobody_else_it_is_understood(serve: Any) -> None:
    server = serve(proxy_protocol=True)
    connection = server.connect(address=STRANGER)
    assert connection.exchange(b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" + request()).startswith(b"HTTP/1.1 400 ")
    assert ask(server, address=STRANGER).answer.startswith(b"HTTP/1.1 101 ")


def test_a_proxy_that_announces_nothing_in_time_is_dropped(serve: Any) -> None:
    server = serve(proxy_protocol=True)
    connection = server.connect(address=PROXY)
    connection.exchange(b"PROXY TCP4 ")
    server.wait(7)
    assert connection.transport.aborted and not counts(server)


def test_a_charger_with_too_many_connections_is_dropped_when_it_is_announced(serve: Any, warnings: list[str]) -> None:
    server = serve(proxy_protocol=True, max_connections_per_address=1)
    server.connect(address=PROXY).exchange(version_2(CHARGER) + request())
    more = server.connect(address=PROXY)
    more.exchange(version_2(CHARGER))
    assert more.transport.aborted and counts(server) == {CHARGER: (1, 0)}
    assert f"the last from {CHARGER}: there are 1 connections from one address" in warnings[0]


@pytest.mark.parametrize("plain_too", [False, True])
def test_chargers_tls_through_a_proxy_is_theirs(serve: Any, tmp_path: Path, plain_too: bool, warnings: list[str]) -> None:
    """It passes on what it does not read; a failed handshake is logged with the charger's address."""
    (tmp_path / "root.pem").write_bytes(ROOT.certificate)
    authorities = Authorities([str(tmp_path / "root.pem")], [], Clock())
    server = serve(TlsServer, tmp_path, authorities, plain_too=plain_too, proxy_protocol=True)
    peer = server.connect_tls(MADE.proving(OWN, file=tmp_path / "own.pem"), PROXY)
    peer.connection.exchange(version_2(CHARGER)[:20])
    peer.connection.exchange(version_2(CHARGER)[20:])
    peer.connect_charger()
    (told,) = server.admissions.requests
    assert told.address == CHARGER and told.tls and told.certificate.trouble == "" and counts(server) == {CHARGER: (1, 0)}
    plain = server.connect(address=PROXY)
    answer = plain.exchange(version_2(STRANGER) + request())
    if plain_too:
        assert answer.startswith(b"HTTP/1.1 101 ") and server.admissions.requests[1].address == STRANGER
    else:
        assert warnings[0].startswith(f"TLS handshake failed with {STRANGER}: http request")
    stranger = server.connect_tls(Made("else").trust, PROXY)
    stranger.connection.exchange(version_2(STRANGER))
    with pytest.raises(ssl.SSLCertVerificationError):
        stranger.handshake()
    stranger.transfer()
    assert warnings[-1] == f"TLS handshake failed with {STRANGER}: tlsv1 alert unknown ca"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"proxy_protocol": "yes"}, "--proxy-protocol: needs --trusted-proxies"),
        ({"trusted_proxies": "10.0.0.1", "proxy_certificate_header": HEADER}, "--proxy-certificate-header: needs .* --tls-client-ca"),
        (
            {"trusted_proxies": "::1", "proxy_certificate_header": HEADER, "tls_client_ca": "a", "proxy_protocol": "yes"},
            "--proxy-certificate-header: is not looked at with --proxy-protocol",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(given: dict[str, str | None], why: str) -> None:
    with pytest.raises(InvalidSetting, match=why):
        read(given, {})
    assert read({"trusted_proxies": "10.1.2.3/8, ::1"}, {}).trusted_proxies == ("10.0.0.0/8", "::1/128")
