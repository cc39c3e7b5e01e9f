"""Streams on operators' HTTP, of one gateway and through the front of several: piece by piece, at the reader's pace, and bounded."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from pytest_twisted import async_yield_fixture
from twisted.internet import reactor
from twisted.protocols.policies import WrappingFactory
from twisted.web.http_headers import Headers
from twisted.web.iweb import IRequest

from fleets import pause, until
from ocpp_tw.operators import channel, server_sent, streams
from ocpp_tw.operators.answering import answer_json
from ocpp_tw.operators.channel import OperatorsSite
from ocpp_tw.operators.fan_out import FanOut
from ocpp_tw.operators.guard import BehindFront, Guard
from ocpp_tw.operators.merge import WorkerEndpoint
from ocpp_tw.operators.parameters import query_of
from ocpp_tw.operators.roles import Role
from ocpp_tw.operators.server_sent import EventStream
from ocpp_tw.operators.serving import HttpAnswer, Refused, klein_app, run
from ocpp_tw.operators.streams import MAX_UNSENT, StreamedAnswer
from ocpp_tw.operators.together import Together
from ocpp_tw.operators.tokens import Tokens, new_token


class Ticker:
    """Routes of an example: streams that the test writes."""

    app = klein_app()
    prefixes = (b"/api/ticks", b"/api/other/*/lines")

    def __init__(self) -> None:
        self.streams: list[Any] = []

    @app.route("/api/ticks", methods=["GET"])
    def ticks(self, request: IRequest) -> Any:
        async def answer() -> None:
            stream = EventStream(request, reactor)
            self.streams.append(stream)
            await stream.ended
            self.streams.remove(stream)

        return run(request, answer())

    @app.route("/api/ticks/<path:id>/lines", methods=["GET"])
    @app.route("/api/other/<path:id>/lines", methods=["HEAD"])
    def lines(self, request: IRequest, id: str) -> Any:
        async def answer() -> None:
            stream = StreamedAnswer(request, reactor, b"application/jsonl")
            if request.args.get(b"begun"):
                stream.write(b"{}\n")
            self.streams.append(stream)
            await stream.ended
            self.streams.remove(stream)

        return run(request, answer())


class Asked(msgspec.Struct, frozen=True):
    """What the example can be asked."""

    n: Annotated[int, msgspec.Meta(ge=1, le=10)] = 5
    w: list[str] | str = []
    o: Literal["", "x"] = ""
    q: str = ""


class Plain:
    """Routes of another class."""

    app = klein_app()

    @app.route("/api/<path:rest>", methods=["GET"])
    def rest(self, request: IRequest, rest: str) -> HttpAnswer:
        return answer_json(request, 200, {"rest": rest})

    @app.route("/api/number", methods=["GET"])
    def number(self, request: IRequest) -> HttpAnswer:
        async def answer() -> bytes:
            query = query_of(request, Asked)
            if query.q == "no":
                raise Refused(418, "no")
            return answer_json(request, 200, [query.n, query.w, query.o, query.q])

        return run(request, answer())


class Served:
    """The example's routes on a port: of a gateway itself, or of a worker behind the front of all."""

    def __init__(self, directory: Path, front: bool, connections: int, tokens: str = "") -> None:
        self.ticker = Ticker()
        routes = Together(Plain().app, [self.ticker])
        self.tokens = Tokens("", tokens, reactor)
        self.guard = guard = Guard(self.tokens, reactor)
        self.stopping, self.complete = False, True
        self.path = str(directory / "1")
        self.factories = [WrappingFactory(OperatorsSite(routes, BehindFront("s") if front else guard, 0 if front else connections))]
        if front:
            self.ports = [reactor.listenUNIX(self.path, self.factories[0])]
            self.factories.append(WrappingFactory(FanOut(self, reactor, "s").site(guard, connections)))
        else:
            self.ports = []
        self.ports.append(reactor.listenTCP(0, self.factories[-1], interface="127.0.0.1"))
        self.peers: list[Peer] = []

    def endpoints(self) -> list[WorkerEndpoint]:
        return [WorkerEndpoint("gw-1", self.path, True)]

    def get(self, path: str, method: str = "GET", receive: int = 0, header: str = "") -> Peer:
        """A client that has asked; ``receive`` is the size of its receive buffer."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *([header] if header else []), "", ""]
        self.peers.append(Peer(self.ports[-1].getHost().port, "\r\n".join(lines), receive))
        return self.peers[-1]

    async def stream(self, path: str = "/api/ticks", receive: int = 0, header: str = "") -> tuple[Peer, Any]:
        """A client, and the stream that it has been given."""
        before = list(self.ticker.streams)
        peer = self.get(path, receive=receive, header=header)
        await until(lambda: len(self.ticker.streams) > len(before))
        [stream] = [each for each in self.ticker.streams if each not in before]
        return peer, stream

    async def close(self) -> None:
        for peer in self.peers:
            peer.socket.close()
        for port in self.ports:
            await port.stopListening()
        for factory in self.factories:
            for each in list(factory.protocols):
                each.transport.abortConnection()
        await until(lambda: not any(factory.protocols for factory in self.factories) and not self.ticker.streams)


class Peer:
    """A client over a socket, which reads when it is asked."""

    def __init__(self, port: int, request: str, receive: int) -> None:
        self.socket = socket.socket()
        if receive:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(request.encode())
        self.socket.setblocking(False)
        self.text, self.open, self.reset = b"", True, False

    def read(self, most: int = 1 << 30) -> bytes:
        """All that has come so far."""
        try:
            while most > 0 and (more := self.socket.recv(min(65536, most))):
                self.text += more
                most -= len(more)
            self.open = most <= 0
        except BlockingIOError:
            pass
        except OSError:
            self.open, self.reset = False, True
        return self.text

    @property
    def body(self) -> bytes:
        """What has come of the chunks of the body."""
        _, _, rest = self.read().partition(b"\r\n\r\n")
        body = b""
        while b"\r\n" in rest:
            size, _, rest = rest.partition(b"\r\n")
            body += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
        return body

    @property
    def complete(self) -> bool:
        """Whether the body has come to its end."""
        return self.read().endswith(b"\r\n0\r\n\r\n")

    @property
    def closed(self) -> bool:
        self.read()
        return not self.open


@pytest.fixture(params=["gateway", "front"])
def front(request: pytest.FixtureRequest) -> bool:
    return request.param == "front"


@async_yield_fixture
async def served(tmp_path: Path, front: bool) -> AsyncIterator[Served]:
    made = Served(tmp_path, front, 16)
    yield made
    await made.close()


# server-sent events


async def test_events_arrive_one_by_one_as_they_are_sent(served):
    peer, stream = await served.stream()
    await until(lambda: peer.body == b":\n\n")
    head = peer.text.partition(b"\r\n\r\n")[0].lower()
    for header in (b"200 ok", b"content-type: text/event-stream", b"cache-control: no-store", b"x-accel-buffering: no"):
        assert header in head
    assert stream.send({"text": "a\nä"}) and stream.send([1], "changes")
    expected = ':\n\ndata: {"text":"a\\nä"}\n\nevent: changes\ndata: [1]\n\n'.encode()
    await until(lambda: peer.body == expected)
    stream.finish()
    await until(lambda: peer.complete and not served.ticker.streams)
    assert not stream.send("too late")
    assert peer.body == expected and peer.open, "the connection can be used again"


async def test_a_comment_now_and_then_shows_that_it_lives(served, monkeypatch):
    monkeypatch.setattr(server_sent, "HEARTBEAT", 0.05)
    peer, _ = await served.stream()
    await until(lambda: peer.body.count(b":\n\n") > 3)


async def test_it_lives_longer_than_a_request_may_take(served, monkeypatch):
    monkeypatch.setattr(channel, "REQUEST_TIMEOUT", 0.2)
    for factory in served.factories:
        factory.wrappedFactory.timeOut = 0.2
    peer, stream = await served.stream()
    await pause(0.8)
    stream.send("still")
    await until(lambda: b"still" in peer.body)


async def test_it_ends_with_its_reader(served):
    peer, stream = await served.stream()
    await until(lambda: peer.body)
    peer.socket.close()
    await until(lambda: stream.ended.called and not served.ticker.streams)
    assert not stream.send("x")


async def test_it_does_not_live_for_ever(served, monkeypatch):
    """The next request shows its token again."""
    monkeypatch.setattr(streams, "MAX_AGE", 0.3)
    peer, _ = await served.stream()
    await until(lambda: peer.complete)


async def test_only_the_head_is_sent_to_who_asks_for_no_more(served):
    peer = served.get("/api/ticks", "HEAD")
    await until(lambda: peer.read().endswith(b"\r\n\r\n"))
    assert b"text/event-stream" in peer.text.lower()
    await until(lambda: not served.ticker.streams)
    assert peer.text.count(b"\r\n\r\n") == 1


# slow readers


async def test_what_a_slow_reader_does_not_take_is_left_out_and_it_is_closed_in_the_end(served, monkeypatch):
    monkeypatch.setattr(streams, "STALLED_AFTER", 0.5)
    peer, stream = await served.stream(receive=4096)
    value, sent = "x" * 10_000, 0
    while stream.send(value):
        sent += 1
        await pause()
        assert sent < 2000, "20 MB are kept for somebody who does not read"
    assert stream.full
    await until(lambda: stream.ended.called)
    assert not served.ticker.streams
    await until(lambda: peer.closed)
    assert not peer.complete


async def test_a_reader_that_pauses_gets_everything_that_was_taken(served):
    peer, stream = await served.stream(receive=4096)
    number = 0
    while stream.send([number, "x" * 1000]):
        number += 1
        await pause()
    await until(lambda: peer.read() and not stream.full)
    assert stream.send("last")
    await until(lambda: b"last" in peer.body)
    values = [json.loads(line[6:]) for line in peer.body.split(b"\n\n") if line.startswith(b"data: ")]
    assert [value[0] for value in values[:-1]] == list(range(number)) and values[-1] == "last"


async def test_an_end_waits_for_what_is_unsent(served):
    peer, stream = await served.stream("/api/ticks/a%2Fb/lines", receive=4096)
    total = 0
    while stream.write(line := b'"%b"\n' % (b"y" * 5000)):
        total += len(line)
        await pause()
    stream.finish()
    await until(lambda: peer.read() and peer.complete)
    assert len(peer.body) == total > MAX_UNSENT


async def test_no_more_streams_are_open_than_may_be(served):
    """A quarter of the connections."""
    opened = [await served.stream() for _ in range(4)]
    refused = served.get("/api/ticks")
    await until(lambda: b"HTTP/1.1 503" in refused.read() and b"As many streams" in refused.text)
    assert b"retry-after: 5" in refused.text.lower()
    opened[0][0].socket.close()
    await until(lambda: opened[0][1].ended.called)
    await served.stream()


async def test_downloads_are_no_streams(served):
    """They come to an end; neither leaves the other without room."""
    path = "/api/ticks/a/lines?begun=yes"
    opened = [await served.stream(path) for _ in range(4)]
    await until(lambda: all(peer.body for peer, _ in opened))
    await served.stream()
    refused = served.get(path)
    await until(lambda: b"HTTP/1.1 503" in refused.read() and b"As many downloads" in refused.text)
    assert len(opened) == 4


# who may read


class Readers:
    """A port with tokens, which can be taken out of the file; and what its readers show."""

    def __init__(self, directory: Path, front: bool, connections: int) -> None:
        made = {name: new_token(name, Role.read) for name in ("ann", "bob")}
        self.lines = {name: line for name, (_, line) in made.items()}
        self.tokens = {name: f"Authorization: Bearer {token}" for name, (token, _) in made.items()}
        self.file = directory / "tokens"
        self.keep("ann", "bob")
        self.served = Served(directory, front, connections, str(self.file))

    def keep(self, *names: str) -> None:
        self.file.write_text("".join(f"{self.lines[name]}\n" for name in names))
        self.file.chmod(0o600)

    def cookie(self, name: str) -> str:
        token = self.served.tokens.find(self.tokens[name].rpartition(" ")[2].encode())
        assert token is not None
        return "Cookie: " + self.served.guard.session(token, Headers()).decode().partition(";")[0]


@async_yield_fixture
async def readers(tmp_path: Path, front: bool, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Readers]:
    monkeypatch.setattr(streams, "LOOK_AGAIN", 0.1)
    made = Readers(tmp_path, front, 80)
    yield made
    await made.served.close()


@pytest.mark.parametrize("path", ["/api/ticks", "/api/ticks/a/lines?begun=yes"])
@pytest.mark.parametrize("shown", ["token", "cookie"])
async def test_a_stream_ends_when_its_token_is_taken_out_of_the_file(readers, path, shown):
    show = {"token": readers.tokens.get, "cookie": readers.cookie}[shown]
    ann, _ = await readers.served.stream(path, header=show("ann"))
    bob, kept = await readers.served.stream(path, header=show("bob"))
    await until(lambda: ann.body and bob.body)
    readers.keep("bob")
    readers.served.tokens.reload()
    await until(lambda: ann.complete if path == "/api/ticks" else ann.closed)
    await until(lambda: readers.served.ticker.streams == [kept])
    assert ann.complete is (path == "/api/ticks"), "a download is not to look as if it were complete"
    assert not bob.closed and not bob.complete


async def test_a_stream_ends_when_its_browser_logs_out(readers):
    cookies = [readers.cookie("ann"), readers.cookie("ann")]
    first, _ = await readers.served.stream(header=cookies[0])
    second, kept = await readers.served.stream(header=cookies[1])
    readers.served.guard.sessions.close(cookies[0].partition(" ")[2].encode())
    await until(lambda: first.complete and readers.served.ticker.streams == [kept])
    assert not second.complete


async def test_one_token_leaves_streams_to_others(readers):
    """A quarter of them, or four."""
    opened = [await readers.served.stream(header=readers.tokens["ann"]) for _ in range(5)]
    for shown in (readers.tokens["ann"], readers.cookie("ann")):
        refused = readers.served.get("/api/ticks", header=shown)
        await until(lambda refused=refused: b"HTTP/1.1 503" in refused.read() and b"one token or address" in refused.text)
    await readers.served.stream(header=readers.tokens["bob"])
    opened[0][0].socket.close()
    await until(lambda: opened[0][1].ended.called)
    await readers.served.stream(header=readers.cookie("ann"))


# a worker behind the front


@pytest.mark.parametrize("front", ["front"], indirect=True)
async def test_a_worker_that_ends_in_the_middle_ends_the_clients_answer_in_the_middle(served):
    peer, stream = await served.stream()
    stream.send("x")
    await until(lambda: b"x" in peer.body)
    for each in list(served.factories[0].protocols):
        each.transport.abortConnection()
    await until(lambda: peer.closed)
    assert not peer.complete


@pytest.mark.parametrize("front", ["front"], indirect=True)
async def test_the_worker_waits_for_a_client_that_reads_slowly(served):
    """What the front keeps of it is little, however much there is."""
    peer, stream = await served.stream("/api/ticks/a/lines", receive=4096)
    written = 0
    while stream.write(b"z" * 10_000):
        written += 10_000
        await pause()
    assert stream.full and written < 20_000_000
    stream.finish()
    await until(lambda: peer.read() and peer.complete)
    assert len(peer.body) == written


# routes


async def asked(served: Served, path: str, method: str = "GET") -> tuple[int, Any]:
    peer = served.get(path, method)
    await until(
        lambda: peer.complete or ((b"content-length" in peer.text.lower() and peer.text.endswith(b"}\n")) or peer.text.endswith(b"]\n"))
    )
    head, _, body = peer.text.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(peer.body if peer.complete else body)


async def test_a_path_goes_to_the_class_that_it_is_of(served):
    assert await asked(served, "/api/other") == (200, {"rest": "other"})
    assert await asked(served, "/api/other/lines") == (200, {"rest": "other/lines"})
    assert await asked(served, "/api/other/x/lines/y") == (200, {"rest": "other/x/lines/y"})
    assert await asked(served, "/api/other/x/lines") == (405, {"detail": "Method Not Allowed"})
    assert await asked(served, "/api/ticks/nothing") == (404, {"detail": "Not Found"})
    assert await asked(served, "/elsewhere") == (404, {"detail": "Not Found"})
    assert await asked(served, "/api/ticks", "PUT") == (405, {"detail": "Method Not Allowed"})


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("", (200, [5, [], "", ""])),
        ("?n=7&w=a,b&w=%20c&o=x&q=%C3%A4", (200, [7, ["a", "b", "c"], "x", "ä"])),
        ("?n=11", (400, {"detail": "n must be a whole number from 1 to 10"})),
        ("?n=-1", (400, {"detail": "n must be a whole number from 1 to 10"})),
        ("?n=" + "9" * 5000, (400, {"detail": "n must be a whole number from 1 to 10"})),
        ("?n=%D9%A3", (400, {"detail": "n must be a whole number from 1 to 10"})),
        ("?o=y", (400, {"detail": "o must be one of x"})),
        ("?q=%FF", (400, {"detail": "q must be UTF-8"})),
        ("?q=no", (418, {"detail": "no"})),
        ("?q=1&q=2", (400, {"detail": "q must be given once"})),
        ("?n=", (400, {"detail": "n must be a whole number from 1 to 10"})),
        ("?p=1", (400, {"detail": "There is no parameter 'p' here: there are n, o, q, w"})),
    ],
)
async def test_a_query_is_read_or_refused(served, query, answer):
    assert await asked(served, "/api/number" + query) == answer
