"""A backend that hangs, drips, lies, floods or is not there: each ends as BackendFailed, in time, and leaves nothing open."""

from __future__ import annotations

import datetime
import gzip
import ipaddress
import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from pytest_twisted import async_yield_fixture
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, fail, gatherResults, maybeDeferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import Certificate, PrivateCertificate, trustRootFromCertificates
from twisted.internet.task import Clock, deferLater
from twisted.logger import formatEvent, globalLogPublisher
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS
from twisted.web.iweb import IAgent
from zope.interface import implementer

from ocpp_tw.backend.http import HttpBackend
from ocpp_tw.backend.static import StaticBackend
from ocpp_tw.bounded_http import MAX_REQUEST_BODY, MAX_RESPONSE_BODY, ConnectionPool, UncompressedAgent
from ocpp_tw.facts import Authorization
from ocpp_tw.interfaces import BackendFailed

TAG = "RFID-12345"
SOON = 0.3


class Server(Factory):
    """A server that does whatever ``behave(connection, request)`` says at every request."""

    def __init__(self) -> None:
        self.behave: Callable[[Connection, bytes], None] = lambda _connection, _request: None
        self.connect: Callable[[Connection], None] = lambda _connection: None
        self.requests: list[bytes] = []
        self.open: set[Connection] = set()
        self.accepted = 0
        self.peak = 0
        self.port: Any = None

    def buildProtocol(self, addr: object) -> Connection:
        return Connection(self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port.getHost().port}"

    async def emptied(self) -> None:
        """Wait until every connection is gone, for two seconds."""
        for _ in range(200):
            if not self.open:
                return
            await deferLater(reactor, 0.01)
        raise AssertionError("a connection was left open")


class Connection(Protocol):
    def __init__(self, server: Server) -> None:
        self.server = server
        self.received = b""

    def connectionMade(self) -> None:
        self.server.accepted += 1
        self.server.open.add(self)
        self.server.peak = max(self.server.peak, len(self.server.open))
        self.server.connect(self)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        while b"\r\n\r\n" in self.received:
            request, _, self.received = self.received.partition(b"\r\n\r\n")
            self.server.requests.append(request)
            self.server.behave(self, request)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.server.open.discard(self)

    def drip(self, text: bytes) -> None:
        """A byte every hundredth of a second, for as long as somebody listens."""
        if self in self.server.open:
            self.transport.write(text[:1])
            reactor.callLater(0.01, self.drip, text[1:] or b" ")

    def resumeProducing(self) -> None:
        """Flood: as a producer, write whenever there is room."""
        self.transport.write(self.flood * 1000)

    def pauseProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass

    def pour(self, head: bytes, flood: bytes) -> None:
        self.transport.write(head)
        self.flood = flood
        self.transport.registerProducer(self, False)


def says(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers, b"", body])


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> Callable[[Connection, bytes], None]:
    return lambda connection, _request: connection.transport.write(says(body, *headers, status=status))


def then_close(data: bytes) -> Callable[[Connection, bytes], None]:
    def behave(connection: Connection, _request: bytes) -> None:
        connection.transport.write(data)
        connection.transport.loseConnection()

    return behave


GOOD = json.dumps({"status": True, "data": {"id": 123, "status": "active", "tag": TAG}}).encode()


@async_yield_fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    server.port = reactor.listenTCP(0, server, interface="127.0.0.1")
    yield server
    await maybeDeferred(server.port.stopListening)
    for connection in server.open:
        connection.transport.abortConnection()
    await server.emptied()


@async_yield_fixture
async def backend(server: Server) -> AsyncIterator[HttpBackend]:
    backend = HttpBackend(server.url, reactor, timeout=SOON, limit=8)
    yield backend
    await backend.close()
    await server.emptied()


async def failure(asked: Deferred[Any]) -> str:
    """Why it failed; it did so in time and did not name the tag."""
    began = time.monotonic()
    with pytest.raises(BackendFailed) as failed:
        await asked
    assert time.monotonic() - began < SOON + 20
    assert TAG not in str(failed.value)
    return str(failed.value)


FAULTS: dict[str, tuple[Callable[[Connection, bytes], None], str]] = {
    "hangs": (lambda _connection, _request: None, "took more than 0.3 s"),
    "hangs amid its headers": (lambda c, _: c.transport.write(b"HTTP/1.1 200 OK\r\nContent-"), "took more than 0.3 s"),
    "hangs amid its body": (lambda c, _: c.transport.write(says(GOOD)[:-5]), "took more than 0.3 s"),
    "drips its headers": (lambda c, _: c.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000), "took more than 0.3 s"),
    "drips its body": (lambda c, _: c.drip(says(b" " * 1000 + GOOD)), "took more than 0.3 s"),
    "hangs amid a 1xx": (lambda c, _: c.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n"), "took more than 0.3 s"),
    "answers 500": (answer(b"Traceback: RFID-12345", status=b"500 Oh"), "answered 500"),
    "answers 503 and hangs": (lambda c, _: c.transport.write(says(b"x" * 99, status=b"503 Busy")[:-5]), "answered 503"),
    "answers 401": (answer(b"", b'WWW-Authenticate: Basic realm="x"', status=b"401 Unauthorized"), "answered 401"),
    "answers 204": (lambda c, _: c.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n"), "answered 204"),
    "answers 201": (answer(GOOD, status=b"201 Created"), "answered 201"),
    "redirects": (answer(b"", b"Location: /elsewhere", status=b"302 Found"), "answered 302"),
    "redirects for ever": (answer(GOOD, b"Location: /elsewhere", status=b"308 Permanent Redirect"), "answered 308"),
    "is long": (answer(b'{"status": true, "x": "' + b"x" * MAX_RESPONSE_BODY + b'"}'), "longer than 65536 bytes"),
    "floods": (lambda c, _: c.pour(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 60), "longer than 65536 bytes"),
    "floods in chunks": (
        lambda c, _: c.pour(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"40\r\n" + b"x" * 64 + b"\r\n"),
        "longer than 65536 bytes",
    ),
    "sends a gzip bomb": (answer(gzip.compress(bytes(10_000_000)), b"Content-Encoding: gzip"), "compressed"),
    "compresses": (answer(gzip.compress(GOOD), b"Content-Encoding: x, GZIP"), "compressed"),
    "speaks another protocol": (
        lambda c, _: c.transport.write(b"SSH-2.0-OpenSSH_9.9\r\n"),
        "request to the backend failed: ResponseFailed (ParseError)",
    ),
    "sends garbage": (lambda c, _: c.transport.write(bytes(range(256)) * 9), "request to the backend failed"),
    "contradicts itself": (answer(GOOD, b"Content-Length: 3"), "request to the backend failed"),
    "answers HTML": (answer(b"<html>RFID-12345</html>", b"Content-Type: text/html"), "answer is invalid: JSON is malformed"),
    "answers nothing": (answer(b""), "answer is invalid"),
    "answers another charset": (answer('{"status": true, "x": "é"}'.encode("latin-1")), "answer is invalid"),
    "nests deeply": (answer(b'{"x":' + b"[" * 60_000), "answer is invalid"),
    "closes at once": (then_close(b""), "request to the backend failed: ResponseNeverReceived"),
    "closes amid its headers": (then_close(b"HTTP/1.1 200 OK\r\nContent-"), "request to the backend failed"),
    "closes amid its body": (then_close(says(GOOD)[:-5]), "broken off"),
    "closes amid a chunk": (then_close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"), "broken off"),
    "closes amid a body of no length": (then_close(b"HTTP/1.0 200 OK\r\n\r\n" + GOOD[:-5]), "answer is invalid"),
    "resets": (lambda c, _: c.transport.abortConnection(), "request to the backend failed"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_backend_that(server, backend, fault):
    """… is of no use: within the deadline, with one request, and no connection stays in use."""
    server.behave, why = FAULTS[fault]
    assert why in await failure(backend.transaction(TAG, "c1", 1))
    assert len(server.requests) == 1
    await backend.close()  # closes what was returned to the pool, and only that
    await server.emptied()


async def test_a_backend_that_is_not_there(server):
    backend = HttpBackend(server.url.replace("//", "//user:secret@"), reactor, 1, 1)
    await server.port.stopListening()
    assert await failure(backend.transaction(TAG, "c1", 1)) == "the request to the backend failed: ConnectionRefusedError"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1:2", "gopher://127.0.0.1", "http://[::1"])
async def test_an_address_that_makes_no_sense(url):
    try:
        backend = HttpBackend(url, reactor, SOON, 1)
    except ValueError:
        return
    assert "request to the backend failed" in await failure(backend.transaction(TAG, "c1", 1))


def shape(data: Any, status: Any = True) -> bytes:
    return json.dumps({"status": status, "data": data}).encode()


@pytest.mark.parametrize(
    ("body", "id"),
    [
        (GOOD, 123),
        (shape({"id": "123"}), 123),
        (shape({"id": 1}), 1),
        (shape({"id": 2**31 - 1}), 2**31 - 1),
        (b" \n" + GOOD + b"\n", 123),
        (shape(None, False), None),
        (shape("no such tag", False), None),
        (shape({"id": 5}, False), None),
        (b'{"status": false}', None),
    ],
)
async def test_the_answer_about_a_transaction(server, backend, body, id):
    server.behave = answer(body)
    assert await backend.transaction(TAG, "c1", 1) == id


IDS = [0, -1, 2**31, 10**30, 1.0, 1.5, True, None, "", "0", "-1", "+1", "1_0", " 1", "1\n", "2147483648", "RFID-12345", "٣", [1], {}]
SHAPES = [
    *(shape({"id": id}) for id in IDS), shape({}), shape(None), shape([]), shape(1), shape({"id": 1}, "true"), shape({"id": 1}, 1), shape({"id": 1}, None),
    b"[]", b"1", b'"x"', b"null", b"{}", GOOD[:-1], GOOD + b"{}", b'{"data": {"id": 1}}',
]  # fmt: skip


@pytest.mark.parametrize("body", SHAPES, ids=repr)
async def test_an_answer_about_a_transaction_that_makes_no_sense(server, backend, body):
    server.behave = answer(body)
    assert "answer is invalid" in await failure(backend.transaction(TAG, "c1", 1))


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (shape({"status": "Accepted"}), Authorization()),
        (shape({"status": "Blocked", "tag": TAG, "more": [1]}), Authorization("Blocked")),
        (
            shape({"status": "Accepted", "expiry_date": "2026-11-22T10:00:00.5+01:00", "parent_tag": "p"}),
            Authorization("Accepted", "2026-11-22T10:00:00.500000+01:00", "p"),
        ),
        (shape({"status": "Accepted", "expiry_date": "0001-01-01T00:00:00+14:00"}), Authorization("Accepted", "0001-01-01T00:00:00+14:00")),
        (shape({"status": "Accepted", "expiry_date": None, "parent_tag": None}), Authorization()),
        (shape({"status": "NoCredit"}), Authorization("NoCredit")),
        (shape({"status": "Unknown"}), Authorization("Unknown")),
        (shape({"status": "Expired"}, False), Authorization("Expired")),
        (shape({"status": "NotAtThisTime"}, False), Authorization("NotAtThisTime")),
        (shape({"status": "Accepted"}, False), Authorization("Invalid")),
        (shape({"status": "sorry"}, False), Authorization("Invalid")),
        (shape({"status": 1}, False), Authorization("Invalid")),
        (shape(None, False), Authorization("Invalid")),
        (shape(["no"], False), Authorization("Invalid")),
        (b'{"status": false}', Authorization("Invalid")),
    ],
)
async def test_the_answer_about_a_tag(server, backend, body, verdict):
    server.behave = answer(body)
    assert await backend.authorize(TAG, "c1", 1) == verdict


@pytest.mark.parametrize(
    "data",
    [
        {}, None, "Accepted", {"status": None}, {"status": "accepted"}, {"status": TAG},
        {"status": "Accepted", "expiry_date": "2026-11-22T10:00:00"}, {"status": "Accepted", "expiry_date": "tomorrow"},
        {"status": "Accepted", "expiry_date": 1}, {"status": "Accepted", "parent_tag": "x" * 21}, {"status": "Accepted", "parent_tag": ""},
    ],
    ids=repr,
)  # fmt: skip
async def test_an_answer_about_a_tag_that_makes_no_sense(server, backend, data):
    server.behave = answer(shape(data))
    assert "answer is invalid" in await failure(backend.authorize(TAG, "c1", None))


async def test_a_parent_fits_the_version_of_ocpp(server, backend):
    """OCPP 1.6 §7.28: 20 characters; 2.0.1 IdTokenType: 36."""
    server.behave = answer(shape({"status": "Accepted", "parent_tag": "x" * 36}))
    assert (await backend.authorize(TAG, "c1", 1, "Central")).parent_tag == "x" * 36
    assert "answer is invalid" in await failure(backend.authorize(TAG, "c1", 1))
    server.behave = answer(shape({"status": "Accepted", "parent_tag": "x" * 37}))
    assert "answer is invalid" in await failure(backend.authorize(TAG, "c1", 1, "Central"))


def own(backend: HttpBackend, payload: bytes = b"{}", action: str = "SignCertificate") -> Deferred[Any]:
    """Ask for an answer of the backend's own."""
    return backend.answer("c1", "1.6", action, payload)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "answers 204"])
async def test_faults_at_the_request_for_an_answer(server, backend, fault):
    """… is of no use there either: the same deadline, the same bounds, one request and no redirect."""
    server.behave, why = FAULTS[fault]
    assert why in await failure(own(backend))
    assert len(server.requests) == 1
    await backend.close()
    await server.emptied()


async def test_the_request_for_an_answer(server, backend):
    server.behave = answer(b'{"payload": {"status": "Accepted"}}')
    assert await backend.answer("c/1 é", "2.0.1", "Get15118EVCertificate", b'{"b": 1.50, "a": "\\u00e9"}') == {"status": "Accepted"}
    head, body = server.requests[0], next(iter(server.open)).received
    assert head.startswith(b"POST /api/ocpp/Get15118EVCertificate/ HTTP/1.1\r\n")
    assert b"content-type: application/json" in head.lower().split(b"\r\n")
    expected = '{"charger":"c/1 é","ocpp":"2.0.1","action":"Get15118EVCertificate","payload":{"b": 1.50, "a": "\\u00e9"}}'.encode()
    assert body == expected
    assert b"content-length: %d" % len(expected) in head.lower().split(b"\r\n")


@pytest.mark.parametrize("status", [b"204 No Content", b"404 Not Found"])
async def test_a_backend_without_an_answer_of_its_own(server, backend, status):
    server.behave = lambda connection, _request: connection.transport.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
    assert await own(backend) is None


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"null", b'{"payload": null}', b'{"payload": []}', b'{"payload": "x"}', b'{"payload": {', b""]
)
async def test_an_answer_of_its_own_that_makes_no_sense(server, backend, body):
    server.behave = answer(body)
    assert "answer is invalid" in await failure(own(backend))


async def test_a_request_that_is_too_long_is_not_sent(server, backend):
    server.behave = answer(b'{"payload": {}}')
    frame = len(b'{"charger":"c1","ocpp":"1.6","action":"SignCertificate","payload":""}')
    assert await own(backend, b'"%b"' % (b"x" * (MAX_REQUEST_BODY - frame))) == {}
    assert "longer than 262144 bytes" in await failure(own(backend, b'"%b"' % (b"x" * (MAX_REQUEST_BODY - frame + 1))))
    assert len(server.requests) == 1


async def test_a_backend_that_does_not_read_the_question(server, backend):
    server.connect = lambda connection: connection.transport.pauseProducing()
    assert "took more than 0.3 s" in await failure(own(backend, b'"%b"' % (b"x" * 200_000)))
    for connection in server.open:
        connection.transport.resumeProducing()
    await server.emptied()


async def test_no_action_changes_where_a_question_goes(server, backend):
    server.behave = answer(b'{"payload": {}}')
    await own(backend, action="../../admin?x#y")
    assert server.requests[0].startswith(b"POST /api/ocpp/..%2F..%2Fadmin%3Fx%23y/ HTTP/1.1\r\n")


async def test_questions_for_answers_wait_for_their_turn_too(server):
    backend = HttpBackend(server.url, reactor, SOON, limit=1)
    reasons = await gatherResults([own(backend).addErrback(lambda failure: failure.value) for _ in range(5)])
    assert {str(reason) for reason in reasons} == {"the backend took more than 0.3 s"}
    assert len(server.requests) <= 2  # on a busy machine the turn of the second comes a moment before its time is over, too
    await backend.close()


async def test_404_is_an_answer_whatever_its_body(server, backend):
    for body in (b"", b"<h1>gone</h1>", b"x" * (2 * MAX_RESPONSE_BODY)):
        server.behave = answer(body, b"Content-Encoding: gzip", status=b"404 Not Found")
        assert await backend.transaction(TAG, "c1", 1) is None
        assert await backend.authorize(TAG, "c1", 1) == Authorization("Invalid")


async def test_the_requests_on_a_tag(server, backend):
    server.behave = answer(shape({"id": 1, "status": "Accepted"}))
    await backend.transaction(TAG, "charger 1&x=1", 2)
    await backend.authorize(TAG, "ü+", None)
    await backend.authorize(TAG, "c1", 2, "ISO14443")
    await backend.transaction(TAG, "c1", 1, "0123abcd")
    first, second, third, fourth = server.requests
    assert b"idempotency-key: 0123abcd" in fourth.lower().split(b"\r\n")
    assert not any(b"idempotency-key" in each.lower() for each in (first, second, third))
    assert third.startswith(b"GET /api/authorize/tag/RFID-12345/?charger=c1&connector=2&type=ISO14443 HTTP/1.1\r\n")
    assert first.startswith(b"GET /api/transaction/tag/RFID-12345/?charger=charger%201%26x%3D1&connector=2 HTTP/1.1\r\n")
    assert second.startswith(b"GET /api/authorize/tag/RFID-12345/?charger=%C3%BC%2B HTTP/1.1\r\n")
    headers = first.lower().split(b"\r\n")[1:]
    assert b"accept-encoding: identity" in headers
    assert b"accept: application/json" in headers
    assert not [header for header in headers if b"gzip" in header or b"authorization" in header]


async def test_a_path_and_a_password_in_the_address(server):
    server.behave = answer(GOOD)
    backend = HttpBackend(server.url.replace("//", "//us%40er:p%3Aw%2F@") + "/deep/er/", reactor, SOON, 1)
    assert await backend.transaction(TAG, "c1", 1) == 123
    await backend.close()
    [request] = server.requests
    assert request.startswith(b"GET /deep/er/api/transaction/tag/RFID-12345/?")
    assert b"Authorization: Basic " + b64encode(b"us@er:p:w/") in request.split(b"\r\n")
    assert b"p%3Aw" not in request


async def test_no_cookie_is_kept(server, backend):
    server.behave = answer(GOOD, b"Set-Cookie: spy=1; Path=/")
    await backend.transaction(TAG, "c1", 1)
    await backend.transaction(TAG, "c1", 1)
    assert b"cookie" not in server.requests[1].lower()


async def test_nothing_secret_and_nothing_at_all_is_logged(server):
    lines: list[str] = []

    def observe(event: Any) -> None:
        lines.append(f"{formatEvent(event)} {event.get('log_failure') and event['log_failure'].getTraceback()}")

    globalLogPublisher.addObserver(observe)
    try:
        backend = HttpBackend(server.url.replace("//", "//user:secret@"), reactor, SOON, 1)
        for behave in (answer(GOOD), answer(b"", status=b"500 Oh"), then_close(b""), lambda _connection, _request: None):
            server.behave = behave
            await backend.transaction(TAG, "c1", 1).addErrback(lambda failure: failure.trap(BackendFailed))
        await backend.close()
    finally:
        globalLogPublisher.removeObserver(observe)
    assert lines == []


async def test_connections_are_used_again(server, backend):
    server.behave = answer(GOOD)
    for _ in range(5):
        assert await backend.transaction(TAG, "c1", 1) == 123
    server.behave = answer(b"<h1>gone</h1>", status=b"404 Not Found")
    for _ in range(5):
        assert await backend.transaction(TAG, "c1", 1) is None
        await deferLater(reactor, 0)  # we have the answer before its body is over
    server.behave = answer(GOOD)
    assert await backend.transaction(TAG, "c1", 1) == 123
    assert server.accepted == 1
    for connection in server.open:  # as a server does that has waited long enough for the next request
        connection.transport.loseConnection()
    assert await backend.transaction(TAG, "c1", 1) == 123


async def test_at_most_so_many_at_once(server):
    backend = HttpBackend(server.url, reactor, timeout=5, limit=3)
    waiting: list[Connection] = []
    server.behave = lambda connection, _request: waiting.append(connection)
    asked = gatherResults([backend.transaction(str(n), "c1", 1) for n in range(12)])
    done = False

    def over(answers: Any) -> Any:
        nonlocal done
        done = True
        return answers

    asked.addBoth(over)
    served = 0
    while not done:
        await deferLater(reactor, 0.02)
        assert len(waiting) <= 3
        served += len(waiting)
        while waiting:
            waiting.pop().transport.write(says(GOOD))
    assert (await asked, served, server.peak) == ([123] * 12, 12, 3)
    await backend.close()


async def test_waiting_for_a_turn_counts(server):
    backend = HttpBackend(server.url, reactor, SOON, limit=1)
    began = time.monotonic()
    reasons = await gatherResults([backend.transaction(TAG, "c1", 1).addErrback(lambda failure: failure.value) for _ in range(20)])
    assert {str(reason) for reason in reasons} == {"the backend took more than 0.3 s"}
    assert time.monotonic() - began < SOON + 20
    assert len(server.requests) == 1
    server.behave = answer(GOOD)
    assert await backend.transaction(TAG, "c1", 1) == 123  # the turn was given back
    await backend.close()


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\n\r\n{"])
async def test_whoever_no_longer_wants_the_answer_may_cancel(server, backend, sent):
    asked = backend.transaction(TAG, "c1", 1)
    server.behave = lambda connection, _request: connection.transport.write(sent)
    while not server.requests:
        await deferLater(reactor, 0.01)
    await deferLater(reactor, 0.02)
    asked.cancel()
    with pytest.raises((CancelledError, BackendFailed)):
        await asked
    await server.emptied()


@implementer(IAgent)
class Recorder:
    """Notes the URL and goes no further."""

    def __init__(self, outcome: Deferred[Any] | None = None) -> None:
        self.urls: list[str] = []
        self.outcome = outcome

    def request(self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None) -> Deferred[Any]:
        self.urls.append(uri.decode("ascii"))
        return self.outcome or fail(OSError(uri))


def test_the_deadline_goes_by_the_given_clock():
    clock, agent = Clock(), Recorder(Deferred())
    asked = HttpBackend("http://b", clock, 3, 1, HTTPClient(agent)).transaction(TAG, "c1", 1)
    clock.advance(2.9)
    assert not asked.called
    clock.advance(0.2)
    reasons: list[str] = []
    asked.addErrback(lambda failure: reasons.append(failure.getErrorMessage()))
    assert reasons == ["the backend took more than 3 s"]
    assert clock.getDelayedCalls() == []


@given(tag=st.text(max_size=40) | st.text("./\\%?#&=+ \x00é", max_size=8), charger=st.text(max_size=48))
def test_no_tag_changes_where_a_question_goes(tag, charger):
    agent = Recorder()
    backend = HttpBackend("http://b/base", Clock(), 3, 1, HTTPClient(agent))
    outcome: list[Any] = []
    backend.transaction(tag, charger, 1).addBoth(outcome.append)
    if not agent.urls:
        assert outcome == [None]
        assert not tag or {".", ".."} & set(tag.replace("\\", "/").split("/"))
        return
    assert str(outcome[0].value) == "the request to the backend failed: OSError"
    path, _, query = agent.urls[0].partition("?")
    scheme, _, host, *above, segment, end = path.split("/")
    assert (scheme, host, above, end) == ("http:", "b", ["base", "api", "transaction", "tag"], "")
    assert unquote(segment, errors="strict") == tag
    assert parse_qs(query, keep_blank_values=True, strict_parsing=True) == {"charger": [charger], "connector": ["1"]}
    assert not set("#\\ ") & set(agent.urls[0])


def test_half_a_character_is_nobodys_tag():
    backend = HttpBackend("http://b", Clock(), 3, 1, HTTPClient(Recorder()))
    outcome: list[Any] = []
    backend.transaction("a\ud800", "c\udcff", 1).addBoth(outcome.append)
    assert outcome == [None]


of_twisteds_own = pytest.mark.filterwarnings("ignore::DeprecationWarning:twisted", "ignore::DeprecationWarning:OpenSSL")


def certificate() -> PrivateCertificate:
    """Of 127.0.0.1, signed by nobody but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "backend")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + built.public_bytes(Encoding.PEM)
    return PrivateCertificate.loadPEM(pem)


@async_yield_fixture
async def secure() -> AsyncIterator[Server]:
    server, own = Server(), certificate()
    server.trusted = trustRootFromCertificates([Certificate.loadPEM(own.dumpPEM())])
    server.port = reactor.listenSSL(0, server, own.options(), interface="127.0.0.1")
    yield server
    await maybeDeferred(server.port.stopListening)
    for connection in server.open:
        connection.transport.abortConnection()
    await server.emptied()


@of_twisteds_own
async def test_a_certificate_that_nobody_vouches_for_is_refused(secure):
    secure.behave = answer(GOOD)
    backend = HttpBackend(secure.url.replace("http:", "https:"), reactor, SOON, 1)
    assert "request to the backend failed" in await failure(backend.transaction(TAG, "c1", 1))
    assert secure.requests == []
    await backend.close()


@of_twisteds_own
@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\n", says(GOOD)[:-5], says(b"x" * 99, status=b"500 Oh")[:-5]])
async def test_an_encrypted_connection_is_aborted_too(secure, sent):
    """Closing it would wait for a peer that may never answer: here one that has stopped reading."""
    pool = ConnectionPool(reactor, 1)
    client = HTTPClient(UncompressedAgent(Agent(reactor, BrowserLikePolicyForHTTPS(secure.trusted), pool=pool), reactor))
    backend = HttpBackend(secure.url.replace("http:", "https:"), reactor, SOON, 1, client)
    secure.behave = answer(GOOD)
    assert await backend.transaction(TAG, "c1", 1) == 123

    def hang(connection: Connection, _request: bytes) -> None:
        connection.transport.write(sent)
        connection.dataReceived = lambda _data: None

    secure.behave = hang
    await failure(backend.transaction(TAG, "c1", 1))
    await secure.emptied()
    await pool.close()


async def test_the_static_backend_hangs_when_made_to():
    backend = StaticBackend({TAG: 5})
    backend.hang()
    first, second = backend.transaction(TAG, "c1", 1), backend.authorize(TAG, "c1", None)
    assert not first.called
    backend.recover()
    assert (await first, await second) == (5, Authorization("Invalid"))
    backend.hang()
    third = backend.transaction(TAG, "c1", 1)
    backend.fail("gone")
    with pytest.raises(BackendFailed, match="gone"):
        await third
    assert backend.asked == [("transaction", TAG, "c1", 1), ("authorize", TAG, "c1", None), ("transaction", TAG, "c1", 1)]


async def test_a_question_to_the_backend_of_dictionaries_may_be_cancelled():
    backend = StaticBackend()
    backend.hang()
    asked = backend.transaction(TAG, "c1", 1)
    asked.cancel()
    with pytest.raises(CancelledError):
        await asked
    backend.recover()
