"""Operators' HTTP on the wire: what a stranger sends costs little, whoever it is, and leaves room for those who may ask."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.web.http_headers import Headers

from fleets import pause, until
from ocpp_tw.networks import network
from ocpp_tw.operators.channel import PIECE, REQUEST_TIMEOUT, SHARE
from ocpp_tw.operators.connections import Connections
from ocpp_tw.operators.guard import MAX_BODY, STRANGERS, BehindFront, Guard, Head, Refusal
from ocpp_tw.operators.guesses import BURST, MAX_ADDRESSES, REFILL, Guesses
from ocpp_tw.operators.request import OperatorsRequest
from ocpp_tw.operators.roles import HEALTH as HEALTHS
from ocpp_tw.operators.tokens import Tokens
from ocpp_tw.tally import Tally
from ocpp_tw.turns import Turns
from operators_site import Site, raw

TOKEN = b"Authorization: Bearer s3cret\r\n"


@async_yield_fixture
async def site() -> AsyncIterator[Site]:
    made = Site("s3cret", limit=16)
    yield made
    await made.close()


class Peer:
    """A socket that says what it is told to, and shows what has come."""

    def __init__(self, site: Site, *sent: bytes, source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(("127.0.0.1", site.port.getHost().port), 5, (source, 0))
        self.socket.setblocking(False)
        self.got, self.open = b"", True
        self.send(*sent)

    def send(self, *sent: bytes) -> None:
        for each in sent:
            self.socket.send(each)

    @property
    def answered(self) -> bytes:
        """What has come so far."""
        try:
            while more := self.socket.recv(65536):
                self.got += more
            self.open = False
        except BlockingIOError:
            pass
        except OSError:
            self.open = False
        return self.got

    @property
    def closed(self) -> bool:
        assert self.answered is not None
        return not self.open


def post(*headers: bytes, path: bytes = b"/command/") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + b"".join(headers) + b"\r\n"


# a body that is not wanted


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((b"Content-Length: 60000000\r\n",), b"401"),
        ((b"Transfer-Encoding: chunked\r\n",), b"401"),
        ((b"Content-Length: 60000000\r\n", b"Content-Type: application/x-www-form-urlencoded\r\n"), b"401"),
        ((b"Content-Length: 60000000\r\n", b"Content-Type: multipart/form-data; boundary=x\r\n"), b"401"),
        ((b"Content-Length: 60000000\r\n", b"Authorization: Bearer wrong\r\n"), b"401"),
        ((b"Content-Length: 60000000\r\n", TOKEN), b"413"),
        ((b"Content-Length: 60000000\r\n", TOKEN, b"Expect: 100-continue\r\n"), b"413"),
    ],
)
async def test_a_body_that_is_not_wanted_is_refused_before_it_is_sent(site, headers, status):
    """HOSTILE F4: the token and the length are looked at first."""
    peer = Peer(site, post(*headers))
    await until(lambda: peer.closed)
    assert peer.answered.startswith(b"HTTP/1.1 " + status)
    assert b"Connection: close" in peer.answered
    peer.socket.close()


async def test_of_a_body_that_is_not_wanted_little_is_read(site):
    peer, sent = Peer(site, post(b"Content-Length: 60000000\r\n")), 0
    try:
        while sent < 60_000_000:
            try:
                sent += peer.socket.send(b"x" * 65536)
            except BlockingIOError:
                await pause(0.01)
            await pause()
    except OSError:
        pass
    assert sent < 60_000_000
    peer.socket.close()


async def test_an_answer_is_not_lost_with_a_body_that_is_not_wanted(site):
    for _ in range(5):
        assert (await raw(site, post(b"Content-Length: 900000\r\n") + b"x" * 900_000)).startswith(b"HTTP/1.1 401")


async def test_a_body_that_does_not_say_how_long_it_is_may_be_as_long_as_any_other(site):
    site.services.result = {"outcome": "result", "payload": {}}
    head, half = (
        post(b"Transfer-Encoding: chunked\r\n", TOKEN, b"Connection: close\r\n"),
        b"%x\r\n%s\r\n" % (MAX_BODY // 2, b" " * (MAX_BODY // 2)),
    )
    assert (await raw(site, head + half + half + b"0\r\n\r\n")).startswith(b"HTTP/1.1 200")
    assert (await raw(site, head + half + half + b"1\r\n \r\n0\r\n\r\n")).startswith(b"HTTP/1.1 413")
    assert len(site.services.asked) == 1


async def test_a_client_that_waits_to_be_asked_for_its_body_is(site):
    site.services.result = {"outcome": "result", "payload": {}}
    peer = Peer(site, post(TOKEN, b"Content-Length: 2\r\nExpect: 100-continue\r\n"))
    await until(lambda: b"100 Continue" in peer.answered)
    peer.send(b"{}")
    await until(lambda: b"200 OK" in peer.answered)
    peer.socket.close()


# time


@async_yield_fixture
async def timed() -> AsyncIterator[tuple[Site, Clock]]:
    """A site whose connections have a clock that stands."""
    made = Site("s3cret")
    made.factory.wrappedFactory.reactor = clock = Clock()
    made.services.result = {"outcome": "result", "payload": {"status": "Accepted"}}
    yield made, clock
    await made.close()


async def come(site: Site, *sent: bytes) -> Peer:
    peer = Peer(site, *sent)
    await until(lambda: site.factory.protocols)
    return peer


@pytest.mark.parametrize(
    "sent", [b"", b"POST /comm", post(TOKEN, b"Content-Length: 1000\r\n"), post(TOKEN, b"Transfer-Encoding: chunked\r\n")]
)
async def test_a_request_has_to_be_there_in_time_however_its_bytes_trickle(timed, sent):
    site, clock = timed
    peer = await come(site, sent)
    while not peer.closed and clock.seconds() < 10 * REQUEST_TIMEOUT:
        with suppress(OSError):
            peer.send(b"1\r\n1\r\n" if b"chunked" in sent else b"x" if sent else b"")
        await pause(0.005)
        clock.advance(0.5)
    assert REQUEST_TIMEOUT <= clock.seconds() < 10 * REQUEST_TIMEOUT
    peer.socket.close()


async def test_a_connection_serves_one_request_after_another_and_is_closed_when_it_is_idle(timed):
    site, clock = timed
    peer = await come(site)
    for n in range(1, 4):
        peer.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda n=n: peer.answered.count(b"200 OK") == n)
        clock.advance(REQUEST_TIMEOUT - 1)
    assert not peer.closed
    clock.advance(2)
    await until(lambda: peer.closed)
    peer.socket.close()


async def test_the_time_of_a_request_begins_with_its_first_byte(timed):
    """And not when its connection began to be idle."""
    site, clock = timed
    peer = await come(site)
    clock.advance(REQUEST_TIMEOUT - 1)
    peer.send(post(TOKEN, b"Content-Length: 2\r\nExpect: 100-continue\r\n"))
    await until(lambda: b"100 Continue" in peer.answered)
    clock.advance(REQUEST_TIMEOUT - 1)
    peer.send(b"{}")
    await until(lambda: b"Accepted" in peer.answered)
    peer.socket.close()


async def test_an_answer_may_take_longer_than_a_request(timed):
    site, clock = timed
    site.services.result = Deferred()
    peer = await come(site, post(TOKEN, b"Content-Length: 2\r\n") + b"{}")
    await until(lambda: site.services.asked)
    clock.advance(100 * REQUEST_TIMEOUT)
    await pause(0.05)
    assert not peer.closed
    site.services.result.callback({"outcome": "result", "payload": {"status": "Accepted"}})
    await until(lambda: b"Accepted" in peer.answered)
    peer.socket.close()


# pipelines, and many at once

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LIST = b"GET /api/chargers HTTP/1.1\r\nHost: localhost\r\n" + TOKEN + b"\r\n"


async def longest_turn(site: Site, requests: int) -> float:
    """The part of the work for so many requests in one write that was done in one turn: CPU time, so that a busy machine has no part in it."""
    longest, begun, ticking = 0.0, time.thread_time(), True
    last = begun

    def tick() -> None:
        nonlocal longest, last
        longest, last = max(longest, time.thread_time() - last), time.thread_time()
        if ticking:
            reactor.callLater(0, tick)

    peer = Peer(site, LIST * requests)
    tick()
    await until(lambda: peer.answered.count(b"200 OK") == requests)
    ticking = False
    peer.socket.close()
    return longest / (time.thread_time() - begun)


async def test_a_pipeline_leaves_turns_to_others(site):
    """1,000 requests in one write: they were served in one turn, in which no charger was. Now that takes some fifty, by the share of a turn;
    without that it would be a dozen, by what is read at once."""
    parts = [await longest_turn(site, 1000) for _ in range(3)]
    assert min(parts) < 1 / 20, parts


class OneTurn(Clock):
    """What is called later with no delay is called in the next turn, as by a reactor; `Clock` would call it at once."""

    def turn(self) -> None:
        due, self.calls = self.calls, []
        for each in due:
            each.called = 1
            each.func()


async def test_all_connections_together_have_a_share_of_a_turn():
    clock, now, served = OneTurn(), [0.0], []

    class Slow:
        """One whose requests take 1.5 ms each."""

        def go_on(self) -> None:
            served.append(self)
            now[0] += 0.0015
            turns.add(self)

    turns = Turns(clock, SHARE, lambda: now[0])
    slow = [Slow() for _ in range(5)]
    for each in slow:
        turns.add(each)
    assert served == []
    clock.turn()
    assert served == slow[:2]
    for _ in range(4):
        clock.turn()
    assert served == slow * 2
    turns.stop()
    assert not clock.getDelayedCalls()


async def test_requests_and_bodies_in_one_write_are_served_in_their_order(site):
    site.services.result = {"outcome": "result", "payload": {"status": "Accepted"}}
    bodies = [b'{"n":%d}' % n for n in range(30)]
    one = [post(TOKEN, b"Content-Length: %d\r\n" % len(body)) + body for body in bodies]
    chunked = [post(TOKEN, b"Transfer-Encoding: chunked\r\n") + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) for body in bodies]
    peer = Peer(site, *(first + second + LIST for first, second in zip(one, chunked, strict=True)))
    await until(lambda: peer.answered.count(b"200 OK") == 90)
    assert site.services.asked == [body for body in bodies for _ in range(2)]
    peer.socket.close()


async def test_what_comes_while_an_answer_is_pending_is_served_after_it(site):
    site.services.result = first = Deferred()
    peer = Peer(site, post(TOKEN, b"Content-Length: 2\r\n") + b"{}" + LIST)
    await until(lambda: site.services.asked)
    peer.send(LIST * 200)
    await pause(0.05)
    assert peer.answered == b""
    first.callback({"outcome": "result", "payload": {"status": "Accepted"}})
    await until(lambda: peer.answered.count(b"200 OK") == 202)
    assert peer.answered.index(b"Accepted") < peer.answered.index(b"[]")
    peer.socket.close()


async def test_whoever_does_not_read_is_not_read_from_and_is_served_when_it_does(site, monkeypatch):
    """Neither requests nor answers pile up."""
    served = []
    monkeypatch.setattr(OperatorsRequest, "process", lambda self, process=OperatorsRequest.process: served.append(1) or process(self))
    site.services.seen = ["x" * 3000]
    peer, sent = Peer(site), 0
    await until(lambda: site.factory.protocols)
    channel = next(iter(site.factory.protocols)).wrappedProtocol
    whole = LIST.replace(b"chargers", b"violations") * 2000
    for _ in range(200):
        with suppress(BlockingIOError):
            sent += peer.socket.send(whole[sent:])
        await pause(0.002)
    before = len(served)
    await pause(0.1)
    assert len(served) == before < 2000
    assert len(channel._held) + len(channel._buffer) <= (1 << 16) + PIECE  # the factory around it hides the transport, which reads 64 KiB
    while sent < len(whole) or len(served) < 2000:
        with suppress(BlockingIOError):
            sent += peer.socket.send(whole[sent:])
        peer.got = peer.answered[-100:]
        await pause(0.001)
    peer.socket.close()


async def test_requests_without_a_token_are_limited_by_address_and_those_with_it_are_not(site):
    peer = Peer(site, HEALTH * 300)
    await until(lambda: peer.closed)
    answers = peer.answered
    assert STRANGERS <= answers.count(b"200 OK") < 250
    assert answers.count(b"HTTP/1.1 429") == 1 and b"Retry-After: 1\r\n" in answers
    busy = Peer(site, LIST * 300)
    await until(lambda: busy.answered.count(b"200 OK") == 300)
    other = Peer(site, HEALTH, source="127.0.0.2")
    await until(lambda: b"200 OK" in other.answered)
    without = Peer(site, LIST.replace(TOKEN, b"") * 300, source="127.0.0.3")
    await until(lambda: without.closed)
    assert without.answered.count(b"HTTP/1.1 401") >= STRANGERS and without.answered.count(b"HTTP/1.1 429") == 1
    for each in (peer, busy, other, without):
        each.socket.close()


async def test_monitors_of_several_hosts_may_ask_every_second_for_ever():
    clock = Clock()
    guard, asked = Guard(Tokens("s3cret", "", clock), clock), Headers({b"host": [b"localhost"]})
    for _ in range(1000):
        for path in HEALTHS * 10:
            assert not isinstance(guard.admit(Head(b"GET", path, asked, 0, "192.0.2.1")), Refusal)
        clock.advance(1)


async def test_what_the_front_of_workers_forwards_is_limited_there_only():
    asked = Head(b"GET", b"/healthz", Headers({b"authorization": [b"Bearer front"]}), 0, "")
    assert not any(isinstance(BehindFront("front").admit(asked), Refusal) for _ in range(1000))


async def test_a_worker_believes_nobody_but_its_front():
    """Whoever else can connect to its socket."""
    for shown in ([], [b"Bearer "], [b"Bearer wrong"]):
        head = Head(b"GET", b"/api/chargers", Headers({b"authorization": shown, b"x-operator": [b"alice"]}), 0, "")
        assert isinstance(refusal := BehindFront("front").admit(head), Refusal) and refusal.status == 401


# guesses of the token


def guess(token: bytes = b"wrong") -> bytes:
    return b"GET /api/chargers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer " + token + b"\r\n\r\n"


async def test_wrong_tokens_are_limited_by_address_and_the_right_one_gets_in_all_the_same(site, said):
    """HOSTILE F10."""
    answers = [await raw(site, guess(b"%d" % n)) for n in range(BURST + 5)]
    assert [each[9:12] for each in answers] == [b"401"] * BURST + [b"429"] * 5
    assert b"Retry-After: 6\r\n" in answers[-1] and b"Connection: close" in answers[-1]
    assert (await raw(site, guess(b"s3cret"))).startswith(b"HTTP/1.1 200")
    elsewhere = Peer(site, guess(), source="127.0.0.2")
    await until(lambda: elsewhere.closed)
    assert elsewhere.answered.startswith(b"HTTP/1.1 401")
    elsewhere.socket.close()
    site.factory.wrappedFactory.stopFactory()  # or the second line would come after a minute
    told = [line for line in said if "wrong token" in line]
    assert [line.split()[2] for line in told] == ["1", str(BURST + 5)]
    assert "s3cret" not in "".join(told)


def test_a_bucket_of_guesses_fills_up_again():
    clock = Clock()
    guesses = Guesses(clock.seconds)
    assert [guesses.wait("a") for _ in range(BURST + 2)] == [0.0] * BURST + [REFILL] * 2
    assert guesses.wait("b") == 0.0
    clock.advance(REFILL)
    assert [guesses.wait("a") for _ in range(2)] == [0.0, REFILL]
    clock.advance(2 * BURST * REFILL)
    assert [guesses.wait("a") for _ in range(BURST + 1)] == [0.0] * BURST + [REFILL]


def test_addresses_without_end_take_no_memory_without_end():
    guesses = Guesses(Clock().seconds)
    for n in range(2 * MAX_ADDRESSES):
        guesses.wait(str(n))
    assert [guesses.wait(str(2 * MAX_ADDRESSES - 1)) for _ in range(BURST)] == [0.0] * (BURST - 1) + [REFILL]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_whoever_has_an_address_of_ipv6_has_all_of_its_network(address, expected):
    assert network(address) == expected


def test_a_flood_is_one_line_a_minute():
    clock, told = Clock(), []
    tally = Tally(clock, lambda *line: told.append(line))
    for n in range(1000):
        tally.note(str(n))
    assert told == [(1, "0")]
    clock.advance(60)
    assert told == [(1, "0"), (999, "999")]
    clock.advance(60)
    clock.advance(600)
    tally.note("x")
    assert told[2:] == [(1, "x")]
    tally.note("y")
    tally.stop()
    assert told[3:] == [(1, "y")] and clock.getDelayedCalls() == []


# heads that are wrong, and what answers give away

HOSTS = [
    b"x" * 70 + b".y" * 120,
    b"x..y/",
    b'x"><script>',
    b"a b",
    b"\xff",
    b"[::1",
    b"localhost:99999999",
    b"localhost\r\nHost: localhost",
    b"x" * 8000,
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", [b"/healthz", b"/api/chargers"])
async def test_a_host_that_is_none_is_a_bad_request_and_no_error_of_ours(site, host, path):
    """HOSTILE F11."""
    answer = await raw(site, b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n" + TOKEN + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("host", [b"localhost", b"a..b", b"x" * 70 + b".example", b"my_host:10801", b"[2001:db8::1]:80", b"192.0.2.7", b""])
async def test_a_host_that_may_be_one_is_served(site, host):
    answer = await raw(site, b"GET /healthz HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


LENGTHS = [
    b"Content-Length: %s\r\n" % length for length in (b"1" * 5000, b"0" * 5000, b"-1", b"5,5", b"0x5", b"", b"5\r\nContent-Length: 5")
]


@pytest.mark.parametrize("length", LENGTHS, ids=lambda length: length[:24].decode())
@pytest.mark.parametrize("more", [b"", b"X-More: headers\r\n"])
async def test_a_length_that_is_none_is_a_bad_request_and_no_error_of_ours(site, length, more):
    """5,000 digits are more than Python makes a number of: it was a traceback in the log, and no answer."""
    answer = await raw(site, post(length + more, TOKEN))
    assert answer == b"HTTP/1.1 400 Bad Request\r\n\r\n"


async def test_a_line_without_end_is_a_bad_request(site):
    for head in (b"GET /" + b"x" * 17_000, post(b"X: " + b"x" * 17_000)):
        assert (await raw(site, head)) == b"HTTP/1.1 400 Bad Request\r\n\r\n"


REQUESTS = [b"GET /healthz HTTP/1.1", b"GET /nothing HTTP/1.1", b"DELETE /healthz HTTP/1.1", b"POST /command HTTP/1.1", b"GET //x HTTP/1.1", b"OPTIONS * HTTP/1.1", b"HEAD /healthz HTTP/1.1", b"GET /healthz", b"\x16\x03\x01"]  # fmt: skip


@pytest.mark.parametrize("line", REQUESTS)
@pytest.mark.parametrize("token", [b"", TOKEN])
async def test_no_answer_names_its_server_or_is_a_page(site, line, token):
    site.services.result = {"outcome": "result", "payload": {}}
    answer = (await raw(site, line + b"\r\nHost: localhost\r\nConnection: close\r\n" + token + b"\r\n")).lower()
    assert b"server:" not in answer and b"twisted" not in answer and b"<" not in answer and b"location:" not in answer


# connections


async def test_more_connections_than_there_may_be_close_the_one_that_waited_longest(said):
    site = Site("s3cret", limit=8)
    idle = [Peer(site) for _ in range(20)]
    assert (await raw(site, guess(b"s3cret"))).startswith(b"HTTP/1.1 200")
    await until(lambda: sum(not each.closed for each in idle) < 6)  # six may come from one address
    assert idle[0].closed and not idle[-1].closed
    for each in idle:
        each.socket.close()
    await site.close()
    told = [line for line in said if "connections more than there may be" in line]
    assert [line.split()[2] for line in told] == ["1", "14"]


async def test_who_has_just_asked_something_stays(said):
    site = Site("s3cret", limit=8)
    peers = [Peer(site) for _ in range(6)]
    await until(lambda: len(site.factory.protocols) == 6)
    for n in (1, 2):
        peers[0].send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda n=n: peers[0].answered.count(b"200 OK") == n)
        peers.append(Peer(site))
        await until(lambda n=n: peers[n].closed)
    assert not peers[0].closed
    for each in peers:
        each.socket.close()
    await site.close()


async def test_who_waits_for_an_answer_is_not_closed_for_others_and_health_is_always_told():
    site, results = Site("s3cret", limit=16), []
    site.services.result = lambda: results.append(Deferred()) or results[-1]
    asking = [Peer(site, post(TOKEN, b"Content-Length: 2\r\n") + b"{}") for _ in range(20)]
    await until(lambda: len(site.services.asked) == 9)
    idle = [Peer(site) for _ in range(20)]
    assert (await raw(site, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")
    assert (await raw(site, guess(b"s3cret"))).startswith(b"HTTP/1.1 503")
    assert len(site.services.asked) == 9
    for each in results:
        each.callback({"outcome": "result", "payload": {"status": "Accepted"}})
    await until(lambda: sum(b"Accepted" in each.answered for each in asking) == 9)
    assert (await raw(site, guess(b"s3cret"))).startswith(b"HTTP/1.1 200")
    for each in [*asking, *idle]:
        each.socket.close()
    await site.close()


async def test_whoever_has_the_token_is_told_that_a_body_is_too_long_instead_of_being_cut_off(site):
    """Not before it has sent some megabytes, as a client does that does not ask first (Expect)."""

    def send_all() -> bytes:
        with socket.create_connection(("127.0.0.1", site.port.getHost().port), 30) as peer:
            peer.sendall(post(TOKEN, b"Content-Length: 6000000\r\n") + b" " * 6_000_000)
            return b"".join(iter(lambda: peer.recv(65536), b""))

    assert (await deferToThread(send_all)).startswith(b"HTTP/1.1 413")


class Line:
    """A connection."""

    looks = 0
    """How often anyone was asked whether it is busy."""

    def __init__(self) -> None:
        self._busy = self.gone = False

    @property
    def busy(self) -> bool:
        Line.looks += 1
        return self._busy

    @busy.setter
    def busy(self, busy: bool) -> None:
        self._busy = busy

    def give_up(self) -> None:
        self.gone = True


def table(limit: int, *, descriptors: int = 100_000) -> tuple[Connections, Callable[[str], Any]]:
    connections = Connections(limit, descriptors, lambda _: None)

    def come(address: str) -> Line | None:
        if not connections.make_room(address):
            return None
        connections.add(line := Line(), address)
        return line

    return connections, come


def test_an_address_has_its_share_and_makes_room_for_itself_only():
    connections, come = table(8)
    one = [come("a") for _ in range(6)]
    other = come("b")
    assert come("a") and [each.gone for each in one] == [True] + [False] * 5 and not other.gone
    for each in one:
        each.busy = True
    last = come("a")
    assert not other.gone and last is not None
    last.busy = True
    assert come("a") is None
    assert come("b") and come("c") and other.gone
    assert connections.too_busy("a") and connections.too_busy("b")


@pytest.mark.parametrize("addresses", [1, 1000], ids=["of one address", "each of another"])
def test_a_flood_of_connections_makes_room_without_a_look_at_all_of_them(addresses: int):
    _, come = table(512)
    for _ in range(300):
        come("busy").busy = True
    Line.looks = 0
    for n in range(2000):
        assert come(f"flood {n % addresses}")
    assert Line.looks < 4 * 2000


def test_a_process_with_few_descriptors_has_few_connections():
    _, come = table(512, descriptors=40)
    lines = [come(str(n)) for n in range(12)]
    assert [each.gone for each in lines] == [True] * 2 + [False] * 10


def test_a_worker_leaves_the_limit_to_its_parent():
    connections, come = table(0)
    lines = [come("") for _ in range(1000)]
    assert all(each and not each.gone for each in lines) and not connections.too_busy("")
