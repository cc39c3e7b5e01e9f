"""A connection that sends much waits for its turn: others are served meanwhile, and nothing of it is lost or out of order."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from time import process_time

import pytest
from twisted.internet.task import Clock

from ocpp_tw.websocket.receiving import FRAMES_AT_ONCE
from ocpp_tw.websocket.room import LARGE, Room
from ocpp_tw.websocket.turns import LARGE_BURST, LARGE_RATE, LARGE_SHARE, RETRY, TURN, ConnectionTurns
from websocket_peer import PING, Server, close_frame, frame

CALL = b'[2,"1","Heartbeat",{}]'


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def numbered(count: int) -> tuple[list[bytes], bytes]:
    """Texts, and the bytes that they are sent as."""
    texts = [b'[2,"%d","Heartbeat",{}]' % n for n in range(count)]
    return texts, b"".join(map(frame, texts))


# a connection with more than its share


def test_a_connection_has_its_share_of_a_turn_and_no_more(server: Server) -> None:
    connection = server.connect_charger()
    texts, data = numbered(5 * FRAMES_AT_ONCE + 3)
    connection.protocol.dataReceived(data)
    assert server.calls == ["arrived", *texts[:FRAMES_AT_ONCE]]
    assert not connection.transport.reading
    server.clock.advance(0)
    assert server.calls == ["arrived", *texts]
    assert connection.transport.reading


def test_what_comes_meanwhile_waits_behind_it(server: Server) -> None:
    connection = server.connect_charger()
    texts, data = numbered(3 * FRAMES_AT_ONCE)
    half = len(data) // 2
    connection.protocol.dataReceived(data[:half])
    connection.exchange(data[half:])  # the transport does not read
    server.clock.advance(0)
    connection.exchange()
    assert server.calls == ["arrived", *texts]


def test_a_hold_lasts_longer_than_a_turn(server: Server) -> None:
    connection = server.connect_charger()
    texts, data = numbered(3 * FRAMES_AT_ONCE)
    connection.protocol.dataReceived(data)
    connection.protocol.hold(True)
    server.clock.advance(0)
    assert server.calls == ["arrived", *texts[:FRAMES_AT_ONCE]] and not connection.transport.reading
    connection.protocol.hold(False)
    server.clock.advance(0)
    assert server.calls == ["arrived", *texts] and connection.transport.reading


def test_a_hold_that_ends_before_its_turn(server: Server) -> None:
    connection = server.connect_charger()
    texts, data = numbered(2 * FRAMES_AT_ONCE)
    connection.protocol.dataReceived(data)
    connection.protocol.hold(True)
    connection.protocol.hold(False)
    assert not connection.transport.reading and len(server.calls) == 1 + FRAMES_AT_ONCE
    server.clock.advance(0)
    assert server.calls == ["arrived", *texts] and connection.transport.reading


def test_one_that_leaves_while_it_waits(server: Server) -> None:
    connection = server.connect_charger()
    _, data = numbered(2 * FRAMES_AT_ONCE)
    connection.protocol.dataReceived(data)
    connection.protocol.hold(True)
    connection.disconnect()
    connection.protocol.hold(False)
    server.clock.advance(0)
    assert len([each for each in server.calls if isinstance(each, bytes)]) == FRAMES_AT_ONCE


def test_frames_that_are_no_messages_are_counted(server: Server) -> None:
    connection = server.connect_charger()
    connection.protocol.dataReceived(frame(b"", PING) * 5 * FRAMES_AT_ONCE + frame(b"a", fin=False) + frame(b"b", 0) * 100)
    for _ in range(30):
        server.clock.advance(0)
    assert server.admissions.sink.beside > 4 * FRAMES_AT_ONCE
    before = server.admissions.sink.beside
    fresh = server.connect_charger(target="/cp2")
    fresh.protocol.dataReceived(numbered(10 * FRAMES_AT_ONCE)[1])
    server.clock.advance(0)
    assert server.admissions.sink.beside == before


# large messages


def large(n: int, size: int = LARGE + 1) -> bytes:
    return b"%d" % n * size


def test_a_large_message_waits_for_its_turn_and_what_follows_waits_for_it(server: Server) -> None:
    connection = server.connect_charger()
    connection.protocol.dataReceived(frame(large(1)) + frame(CALL))
    assert server.calls == ["arrived"] and not connection.transport.reading
    server.clock.advance(0)
    assert server.calls == ["arrived", large(1), CALL] and connection.transport.reading


def test_a_large_message_waits_for_room_and_others_do_not(server: Server) -> None:
    connection, other = server.connect_charger(), server.connect_charger(target="/cp2")
    server.admissions.room = False
    connection.protocol.dataReceived(frame(large(1)))
    server.clock.advance(0)
    other.exchange(frame(CALL))
    server.clock.advance(RETRY)
    assert server.calls == ["arrived", "arrived", CALL]
    server.admissions.room = True
    server.clock.advance(RETRY)
    assert server.calls[3:] == [large(1)]


def test_one_that_is_held_or_leaves_with_a_large_message_waiting(server: Server) -> None:
    connection, other = server.connect_charger(), server.connect_charger(target="/cp2")
    server.admissions.room = False
    for n, each in enumerate((connection, other)):
        each.protocol.dataReceived(frame(large(n)))
    connection.protocol.hold(True)
    other.disconnect()
    server.admissions.room = True
    server.clock.advance(RETRY)
    server.clock.advance(1)
    assert not [each for each in server.calls if isinstance(each, bytes)]
    connection.protocol.hold(False)
    server.clock.advance(RETRY)
    assert [each for each in server.calls if isinstance(each, bytes)] == [large(0)]
    assert not server.factory.room._reserved and not server.factory.room._taken


class Spending:
    """Connections that take some of a clock's time."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock
        self.held = False
        self.paid_until = -math.inf
        self.served: list[bytes] = []
        self.then: Callable[[], None] = lambda: None

    def go_on(self) -> None:
        self.clock[0] += TURN / 2
        self.served.append(b"")

    def go_on_with(self, text: bytes) -> None:
        self.clock[0] += 0.01
        self.served.append(text)
        self.then()


def test_all_that_wait_have_a_part_of_each_turn() -> None:
    clock, now = Clock(), [0.0]
    turns = ConnectionTurns(clock, lambda size, may_wait: True, lambda: now[0])
    waiting = [Spending(now) for _ in range(5)]
    for each in waiting:
        turns.add(each)
    for served in (2, 4, 5):
        (turn,) = clock.getDelayedCalls()  # a reactor begins those that are due, and not those that they schedule
        clock.calls.remove(turn)
        turn.func()
        assert sum(len(each.served) for each in waiting) == served
    assert not clock.getDelayedCalls()


def test_one_that_fails_in_its_turn_does_not_keep_the_others_waiting() -> None:
    clock, now = Clock(), [0.0]
    turns = ConnectionTurns(clock, lambda size, may_wait: True, lambda: now[0])
    failing, small, large = (Spending(now) for _ in range(3))
    failing.go_on = lambda: 1 / 0  # type: ignore[method-assign, assignment]
    turns.add(failing)
    turns.add(small)
    turns.add_large(large, b"large")
    with pytest.raises(ZeroDivisionError):
        clock.advance(0)
    clock.pump([RETRY] * 3)
    assert len(small.served) == len(large.served) == 1 and not clock.getDelayedCalls()


def test_large_messages_have_a_part_of_the_time() -> None:
    clock, now = Clock(), [0.0]
    turns = ConnectionTurns(clock, lambda size, may_wait: True, lambda: now[0])
    waiting = [Spending(now) for _ in range(5)]
    for each in waiting:
        turns.add_large(each, b"large")
    for _ in range(4 * 5 * 10):
        clock.advance(RETRY)
        now[0] += 0.001
    assert all(len(each.served) == 1 for each in waiting)
    assert now[0] >= 4 * 0.01 / LARGE_SHARE


def test_large_messages_of_one_connection_have_a_rate_and_do_not_keep_others_waiting() -> None:
    clock = Clock()
    turns = ConnectionTurns(clock, lambda size, may_wait: True, clock.seconds)
    greedy, other = Spending([0.0]), Spending([0.0])
    half, more = b"x" * (LARGE_BURST // 2), iter(range(5))
    greedy.then = lambda: turns.add_large(greedy, half) if next(more, None) is not None else None
    turns.add_large(greedy, half)
    turns.add_large(other, half)
    clock.pump([RETRY] * 10)
    assert len(greedy.served) == 3 and len(other.served) == 1  # what is begun within the burst may exceed it
    clock.pump([RETRY] * round(2.5 * len(half) / LARGE_RATE / RETRY))
    assert len(greedy.served) == 5
    clock.pump([RETRY] * 300)
    assert len(greedy.served) == 6 and not clock.getDelayedCalls()


def test_while_others_wait_a_connection_has_one_frame_at_once(server: Server) -> None:
    first, second = server.connect_charger(), server.connect_charger(target="/cp2")
    texts, data = numbered(3 * FRAMES_AT_ONCE)
    first.protocol.dataReceived(data)
    second.protocol.dataReceived(frame(b"one") + frame(b"two"))
    assert server.calls[2:] == [*texts[:FRAMES_AT_ONCE], b"one"]
    server.clock.advance(0)
    assert sorted(server.calls[2:]) == sorted([*texts, b"one", b"two"])


# room for large messages


@pytest.fixture
def server_in_small_room() -> Iterator[Server]:
    """With room for two messages of 300,000 bytes of one address, and three in all."""
    made = Server()
    made.factory.room = Room(1_000_000, 700_000)
    yield made
    made.close()


def test_what_is_received_of_large_messages_is_limited(server_in_small_room: Server) -> None:
    server = server_in_small_room
    connections = [server.connect_charger(target=f"/cp{n}") for n in range(3)]
    whole = frame(b"x" * 300_000)
    for each in connections:
        each.protocol.dataReceived(whole[:1000])
    assert [each.transport.reading for each in connections] == [True, True, False]
    connections[2].exchange(whole[1000:] + frame(CALL))
    assert server.calls == ["arrived"] * 3
    connections[0].exchange(whole[1000:])
    server.clock.advance(RETRY)
    connections[2].exchange()
    for _ in range(10):
        server.clock.advance(RETRY)
        connections[2].exchange()
    assert len(server.calls) == 6 and server.calls[-1] == CALL
    connections[1].disconnect()
    assert not server.factory.room._taken


def test_a_large_message_stays_with_its_sender_until_those_before_are_paid_for(server: Server) -> None:
    """In memory it would wait for seconds, on each connection of an attacker."""
    connection, gone = server.connect_charger(), server.connect_charger(target="/cp2")
    burst = b"x" * (LARGE_BURST - 1000)
    for each in connection, gone:
        each.protocol.dataReceived(frame(burst))
        server.clock.advance(RETRY)
        each.protocol.dataReceived(frame(burst))
        server.clock.advance(RETRY)
    assert [each.transport.reading for each in (connection, gone)] == [True, True]
    for each in connection, gone:
        each.protocol.dataReceived(frame(burst)[:1000])
    assert [each.transport.reading for each in (connection, gone)] == [False, False] and not server.factory.room._taken
    gone.disconnect()
    server.clock.advance(2 * LARGE_BURST / LARGE_RATE)
    assert connection.transport.reading and server.factory.room._taken == len(burst)
    connection.exchange(frame(burst)[1000:])
    assert server.calls.count(burst) >= 4


def test_one_that_waits_for_room_may_leave(server_in_small_room: Server) -> None:
    server = server_in_small_room
    connections = [server.connect_charger(target=f"/cp{n}") for n in range(4)]
    for each in connections:
        each.protocol.dataReceived(frame(b"x" * 300_000)[:1000])
    for each in reversed(connections):
        each.disconnect()
    assert not server.factory.room._taken and not server.factory.room.wanted


def test_a_message_in_pieces_needs_room_once_it_is_large(server: Server) -> None:
    connection = server.connect_charger()
    connection.protocol.dataReceived(frame(b"x" * 50_000, fin=False))
    assert not server.factory.room._taken
    connection.protocol.dataReceived(frame(b"x" * 50_000, 0, fin=False))
    assert server.factory.room._taken == server.factory.settings.max_message
    connection.protocol.dataReceived(frame(b"x" * 50_000, 0))
    server.clock.advance(0)
    assert server.calls[1:] == [b"x" * 150_000] and not server.factory.room._taken


def test_a_deflated_message_needs_room_for_what_it_may_become(server: Server) -> None:
    connection = server.connect_charger(headers=(b"Sec-WebSocket-Extensions: permessage-deflate",))
    deflater = zlib.compressobj(wbits=-15)
    small = deflater.compress(CALL) + deflater.flush(zlib.Z_SYNC_FLUSH)[:-4]
    connection.exchange(frame(small, rsv=4))
    bomb = zlib.compressobj(wbits=-15)
    text = b"x" * 600_000
    packed = bomb.compress(text) + bomb.flush(zlib.Z_SYNC_FLUSH)[:-4]
    connection.protocol.dataReceived(frame(packed, rsv=4))
    assert server.factory.room._taken >= 600_000
    server.clock.advance(0)
    assert server.calls[1:] == [CALL, text] and not server.factory.room._taken


class Receiver:
    def __init__(self, room: Room, address: str) -> None:
        self.room, self.address = room, address
        self.let_in = 0

    def has_room(self) -> None:
        self.let_in += 1
        self.room.release(self)


def test_room_is_given_in_order_but_for_those_whose_address_has_its_share() -> None:
    room = Room(10, 6)
    first, second, third, other = (Receiver(room, each) for each in ("a", "a", "a", "b"))
    assert room.reserve(first, 6) and not room.reserve(second, 1) and not room.reserve(third, 6)
    assert room.reserve(other, 4)
    room.release(first)
    assert second.let_in == third.let_in == 1 and not room.wanted
    room.release(other)
    assert not room._taken and not room._of


def test_one_longer_than_the_limits_is_let_in_alone() -> None:
    room = Room(10, 6)
    giant, other = Receiver(room, "a"), Receiver(room, "b")
    assert room.reserve(giant, 100) and not room.reserve(other, 1)
    room.release(giant)
    assert other.let_in == 1


def test_thousands_that_wait_are_let_in_without_recursion() -> None:
    room = Room(10, 10)
    first = Receiver(room, "a")
    assert room.reserve(first, 10)
    waiting = [Receiver(room, "a") for _ in range(5000)]
    for each in waiting:
        assert not room.reserve(each, 5)
    room.release(first)
    assert all(each.let_in == 1 for each in waiting) and not room._taken


MANY = 10_000
"""Connections that wait: looking through all of them for each would take several seconds."""


class Patient(Receiver):
    def has_room(self) -> None:
        self.let_in += 1


@pytest.mark.parametrize("addresses", [1, MANY], ids=["of one address", "each of another"])
def test_each_that_waits_for_room_leaves_without_a_look_at_the_others(addresses: int) -> None:
    room = Room(10, 10)
    first = Patient(room, "0")
    assert room.reserve(first, 10)
    waiting = [Patient(room, str(n % addresses)) for n in range(MANY)]
    begun = process_time()
    for each in waiting:
        assert not room.reserve(each, 5)
    for each in waiting:
        room.release(each)
    assert process_time() - begun < 1
    assert not room.wanted
    room.release(first)
    assert not room._taken and not room._of


@pytest.mark.parametrize("addresses", [1, 100], ids=["of one address", "of a hundred"])
def test_each_that_is_let_in_is_let_in_without_a_look_at_the_others(addresses: int) -> None:
    room = Room(12, 6)
    waiting = [Patient(room, str(n % addresses)) for n in range(MANY)]
    begun = process_time()
    for each in waiting:
        room.reserve(each, 5)
    for each in waiting:
        room.release(each)
    assert process_time() - begun < 1
    assert sum(each.let_in for each in waiting) == MANY - min(addresses, 2)
    assert not room._taken and not room.wanted


def test_a_message_that_is_too_long_for_what_is_left_is_not_passed_by_shorter_ones_for_ever() -> None:
    room = Room(10, 10)
    first, long, short = Patient(room, "a"), Patient(room, "b"), Patient(room, "c")
    assert room.reserve(first, 6) and not room.reserve(long, 9) and not room.reserve(short, 1)
    room.release(first)
    assert (long.let_in, short.let_in) == (1, 1)


def test_each_that_waits_for_its_turn_leaves_without_a_look_at_the_others() -> None:
    turns = ConnectionTurns(Clock(), lambda size, may_wait: False)
    waiting = [Spending([0.0]) for _ in range(MANY)]
    begun = process_time()
    for number, each in enumerate(waiting):
        turns.add_large(each, b"large") if number % 2 else turns.add(each)
    for each in waiting:
        turns.drop(each)
    assert process_time() - begun < 1
    assert not turns.busy
    turns.stop()


def deflated(text: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return frame(deflater.compress(text) + deflater.flush(zlib.Z_SYNC_FLUSH)[:-4], rsv=4)


def charger_with_deflate(server: Server, target: str = "/cp9"):
    return server.connect_charger(target=target, headers=(b"Sec-WebSocket-Extensions: permessage-deflate",))


def test_an_ordinary_deflated_message_needs_no_room(server_in_small_room: Server) -> None:
    server = server_in_small_room
    for n in range(2):
        server.connect_charger(target=f"/cp{n}").protocol.dataReceived(frame(b"x" * 300_000)[:14])
    charger_with_deflate(server).protocol.dataReceived(deflated(CALL * 30))
    assert server.calls[-1] == CALL * 30


def test_a_deflated_message_that_becomes_large_without_room_is_refused(server_in_small_room: Server) -> None:
    server = server_in_small_room
    for n in range(2):
        server.connect_charger(target=f"/cp{n}").protocol.dataReceived(frame(b"x" * 300_000)[:14])
    greedy = charger_with_deflate(server)
    greedy.protocol.dataReceived(deflated(b"x" * 300_000))
    greedy.pump.flush()
    assert close_frame(greedy.peer.data)[0] == 1008
    assert not server.factory.room.wanted


def test_who_keeps_others_waiting_for_room_must_not_be_slow(server_in_small_room: Server) -> None:
    server = server_in_small_room
    whole = frame(b"x" * 300_000)
    slow, quick, waiting = [server.connect_charger(target=f"/cp{n}") for n in range(3)]
    for each in (slow, quick, waiting):
        each.protocol.dataReceived(whole[:14])
    for n in range(1, 12):
        slow.protocol.dataReceived(whole[13 + n : 14 + n])
        quick.protocol.dataReceived(whole[14 + (n - 1) * 9000 : 14 + n * 9000])
        assert not waiting.transport.reading
        server.wait(1)
    assert close_frame(slow.peer.data)[0] == 1008 and not quick.peer.data
    server.wait(5)
    assert waiting.transport.reading
    server.wait(30)
    assert not waiting.peer.lost  # though it came late


@pytest.mark.parametrize("size", [20_000, 300_000], ids=["half received", "received"])
@pytest.mark.parametrize("why", ["the charger does not read", "the application holds it"])
def test_who_keeps_others_waiting_for_room_must_not_be_held_for_long(server_in_small_room: Server, why: str, size: int) -> None:
    server = server_in_small_room
    whole = frame(b"x" * 300_000)
    stuck, other, waiting = [server.connect_charger(target=f"/cp{n}") for n in range(3)]
    other.protocol.dataReceived(whole[:14])
    stuck.protocol.dataReceived(whole[: size + 14])
    if why == "the charger does not read":
        stuck.protocol.pauseProducing()
    else:
        stuck.protocol.hold(True)
    server.wait(20)  # nobody wants its room
    other.protocol.dataReceived(whole[14:-1])
    waiting.protocol.dataReceived(whole[:14])
    assert not waiting.transport.reading and not stuck.peer.data
    server.wait(1)
    assert close_frame(stuck.peer.data)[0] == 1008 and not other.peer.data
    assert waiting.transport.reading  # at once
    waiting.exchange(whole[14:])
    server.wait(1)
    assert server.calls[-1] == b"x" * 300_000 and not waiting.peer.data
    server.wait(20)
    assert stuck.peer.lost and not server.factory.turns._large


def test_one_that_was_held_for_a_while_may_complete_its_large_message(server_in_small_room: Server) -> None:
    server = server_in_small_room
    whole = frame(b"x" * 300_000)
    held, other, waiting = [server.connect_charger(target=f"/cp{n}") for n in range(3)]
    for each in (held, other, waiting):
        each.protocol.dataReceived(whole[:14])
    other.protocol.dataReceived(whole[14:-1])
    held.protocol.hold(True)
    server.wait(9)
    held.protocol.hold(False)
    for n in range(15):
        held.protocol.dataReceived(whole[14 + n * 9000 : 14 + (n + 1) * 9000])
        server.wait(1)
    assert not held.peer.data


def test_one_that_does_not_read_is_taken_for_dead_although_it_waits_for_its_turn(server: Server) -> None:
    connection = server.connect_charger()
    server.admissions.room = False
    connection.protocol.dataReceived(frame(large(1)))
    connection.protocol.pauseProducing()
    server.wait(200)
    assert connection.peer.lost


def test_a_slow_large_message_for_which_nobody_waits_is_received(server: Server) -> None:
    connection = server.connect_charger()
    whole = frame(b"x" * 70_000)
    for start in range(0, len(whole), 700):
        connection.protocol.dataReceived(whole[start : start + 700])
        server.wait(1)
    assert server.calls == ["arrived", b"x" * 70_000]


def test_one_that_waits_is_not_taken_for_dead(server: Server) -> None:
    connection = server.connect_charger()
    server.admissions.room = False
    connection.protocol.dataReceived(frame(large(1)))
    server.wait(200)
    assert not connection.peer.lost


def test_a_connection_that_ends_while_it_is_held_leaves_nothing(server: Server) -> None:
    connection = server.connect_charger()
    connection.protocol.dataReceived(frame(large(1)))
    connection.protocol.hold(True)
    connection.disconnect()
    assert not server.factory.turns._large and not server.factory.room._taken


def test_a_large_message_does_not_wait_for_ever_for_redis(server: Server) -> None:
    server.factory.turns._has_room = lambda size, may_wait: not may_wait
    connection = server.connect_charger()
    connection.protocol.dataReceived(frame(large(1)))
    server.clock.pump([0.1] * 9)
    assert server.calls == ["arrived"]
    server.clock.pump([0.1] * 3)
    assert server.calls == ["arrived", large(1)]
