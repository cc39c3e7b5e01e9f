"""Who is connected: the newest connection of an identity wins, and a stale one's end changes nothing."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionLost
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from zope.interface import implementer

from in_memory import START_1, in_memory
from ocpp_tw.gateway.ends import ALL_LINES, LINES
from ocpp_tw.interfaces import HandshakeRefused, HandshakeRequest, IGate, StoreUnavailable
from ocpp_tw.memory import MemoryWire
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway


@pytest.fixture
def logged():
    """The warnings that are logged."""
    lines = []

    def observe(event):
        if event["log_level"] is LogLevel.warn:
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


@implementer(IGate)
class EverybodyAuthenticated:
    """As where each charger has its password."""

    def admit(self, request: HandshakeRequest) -> int:
        return 2


def authenticated() -> InMemoryGateway:
    return InMemoryGateway(Settings(name="gw"), gate=EverybodyAuthenticated())


def test_coming_and_going_is_told():
    here = in_memory()
    cp = here.connect()
    cp.send_call("Heartbeat")
    here.clock.advance(90)
    cp.disconnect(1001, "bye")
    connected, _, left = here.published()
    assert connected["data"] == {
        "charger": "cp1", "ocpp": "1.6", "remote_address": "10.0.0.1", "security_profile": 0, "previous": None, "takeover": None,
        "repairs": [],
    }  # fmt: skip
    assert left["event"] == "disconnect_charger"
    assert left["data"] == {
        "charger": "cp1", "code": 1001, "reason": "bye", "seconds": 90.0, "received": 1, "sent": 1, "violations": 0,
    }  # fmt: skip


def test_a_new_connection_that_speaks_takes_over_at_once():
    """FIELD 1: the charger that comes back after a cut is never refused."""
    here = in_memory()
    old, new = here.connect(), here.connect()
    assert here.gateway.chargers["cp1"] is old.charger
    new.call("Heartbeat")
    assert here.gateway.chargers["cp1"] is new.charger
    assert old.wire.closed == (4000, "replaced by a newer connection")
    assert here.published_names() == ["connect_charger", "connect_charger", "health"]


def test_the_take_over_names_the_connection_before():
    here = in_memory()
    old, new = here.connect(), here.connect()
    new.send_call("Heartbeat")
    assert here.published()[1]["data"]["previous"] == old.charger.connection


def test_the_end_of_the_stale_connection_is_not_told():
    """FIELD 2, A4, F11."""
    here = in_memory()
    old, new = here.connect(), here.connect()
    new.send_call("Heartbeat")
    here.published()
    old.disconnect()
    assert here.published() == [] and here.gateway.chargers["cp1"] is new.charger
    new.disconnect()
    assert here.published_names() == ["disconnect_charger"]


def test_a_silent_newcomer_takes_over_when_the_old_one_shows_no_life():
    """FIELD 1: 2 seconds after a ping."""
    here = in_memory()
    old, new = here.connect(), here.connect()
    assert len(old.wire.pings) == 1
    here.clock.advance(1.9)
    assert here.gateway.chargers["cp1"] is old.charger
    here.clock.advance(0.2)
    assert here.gateway.chargers["cp1"] is new.charger


def test_a_probe_that_says_nothing_does_not_unseat_the_one_at_work():
    """FIELD 15, 'two sockets with one identity'."""
    here = in_memory()
    old, probe = here.connect(), here.connect()
    old.wire.pings[0]()
    here.clock.advance(10)
    assert here.gateway.chargers["cp1"] is old.charger
    probe.disconnect()
    old.call("Heartbeat")
    assert here.published_names() == ["connect_charger", "health"]
    assert here.clock.getDelayedCalls() == []


def test_the_newcomer_takes_the_place_of_one_that_leaves():
    here = in_memory()
    old, new = here.connect(), here.connect()
    old.wire.pings[0]()
    old.disconnect()
    new.call("Heartbeat")
    assert here.gateway.chargers["cp1"] is new.charger


def test_of_many_newcomers_the_last_one_counts():
    here = in_memory()
    here.connect()
    newcomers = [here.connect() for _ in range(50)]
    assert all(each.wire.closed for each in newcomers[:-1])
    newcomers[-1].call("Heartbeat")
    assert here.gateway.chargers["cp1"] is newcomers[-1].charger
    for each in newcomers[:-1]:
        each.disconnect()
    assert here.published_names() == ["connect_charger", "connect_charger", "health"]


def test_commands_on_the_old_connection_end_at_once_when_it_is_replaced():
    """FIELD 1, 12."""
    here = in_memory()
    old, new = here.connect(), here.connect()
    outcomes = []
    old.charger.call("Reset", {"type": "Soft"}).addCallback(outcomes.append)
    old.charger.call("ClearCache", {}).addCallback(outcomes.append)
    new.send_call("Heartbeat")
    assert [(each.kind, each.sent) for each in outcomes] == [("connection_lost", True), ("offline", False)]


def test_two_peers_that_fight_over_one_identity_are_told_of():
    """FIELD 1, A3: a cloned charger."""
    here = authenticated()
    here.connect(address="10.0.0.1")
    for n in range(6):
        here.connect(address=f"10.0.0.{1 + n % 2}").send_call("Heartbeat")
    (event,) = [event for event in here.published() if event["event"] == "duplicate_identity"]
    assert event["data"]["addresses"] == ["10.0.0.1", "10.0.0.2"]


def test_a_charger_that_reconnects_often_from_one_place_is_no_clone():
    here = in_memory()
    for _ in range(8):
        here.connect().send_call("Heartbeat")
    assert "duplicate_identity" not in here.published_names()


def take_over(here, old, address):
    """A newer connection sends its first message, and the old one answers what it is sent at that."""
    new = here.connect(address=address)
    new.call("Heartbeat")
    old.wire.receive(b"")
    return new


def test_a_take_over_of_a_connection_that_is_alive_is_logged_with_both_addresses(logged):
    """F14: an intruder, or two chargers set up alike."""
    here = authenticated()
    new = take_over(here, here.connect(address="10.0.0.1"), "10.0.0.2")
    assert logged == ["take-over of cp1 by 10.0.0.2: the connection from 10.0.0.1 was alive"]
    new.wire.receive(b"")
    assert len(logged) == 1


def test_peers_that_fight_from_one_address_are_told_of_if_both_are_alive():
    """F14: behind a proxy all have one address."""
    here = in_memory()
    charger = here.connect()
    for _ in range(3):
        here.clock.advance(100)
        charger = take_over(here, charger, "10.0.0.1")
    (event,) = [event for event in here.published() if event["event"] == "duplicate_identity"]
    assert event["data"] == {"charger": "cp1", "addresses": ["10.0.0.1"], "takeovers": 3}


def test_a_charger_that_reconnects_is_not_logged_as_a_take_over(logged):
    """Its former connection is dead, and answers nothing."""
    here = in_memory()
    for _ in range(10):
        here.connect().call("Heartbeat")
    assert logged == []


def test_a_flood_of_take_overs_is_counted_in_the_log(logged):
    here = in_memory()
    charger = here.connect()
    for _ in range(1000):
        charger = take_over(here, charger, "10.0.0.1")
    assert len(logged) == 100


@pytest.mark.parametrize("versions", [("2.0.1", "2.0.1"), ("2.0.1", "2.1"), ("2.1", "2.0.1")])
def test_another_spelling_of_a_connected_identity_is_refused_in_2x(versions):
    """F21: it is the same charger there, and would be two here."""
    here = in_memory()
    first = here.connect("CASE1", ocpp=versions[0])
    with pytest.raises(HandshakeRefused) as refusal:
        here.connect("case1", ocpp=versions[1])
    assert refusal.value.status == 409
    here.connect("CASE1", ocpp=versions[1]).call("Heartbeat")
    first.disconnect()
    with pytest.raises(HandshakeRefused):
        here.connect("Case1", ocpp=versions[1])
    here.gateway.departed(here.gateway.chargers["CASE1"], 1000, "")
    here.connect("case1", ocpp=versions[1])
    assert list(here.gateway.chargers) == ["case1"]


def test_in_16_two_spellings_are_two_chargers():
    """It says nothing of the identity's case."""
    here = in_memory()
    here.connect("CASE1", ocpp="2.0.1"), here.connect("case1"), here.connect("Case1")
    assert set(here.gateway.chargers) == {"CASE1", "case1", "Case1"}


def test_the_version_is_chosen_by_the_chargers_order():
    """C7."""
    here = in_memory()
    _, subprotocol = here.gateway.admit(HandshakeRequest("a", "h", "p", ("ocpp9", "OCPP1.6J", "ocpp1.6")), MemoryWire())
    assert subprotocol == "OCPP1.6J"


def test_no_common_subprotocol_is_refused_or_closed():
    """C8, C9."""
    here = in_memory()
    for offered in ((), ("ocpp3",)):
        with pytest.raises(HandshakeRefused) as refusal:
            here.gateway.admit(HandshakeRequest("a", "h", "p", offered), MemoryWire())
        assert refusal.value.status == 400
    here = in_memory(subprotocol_mismatch="close")
    assert here.gateway.admit(HandshakeRequest("a", "h", "p", ("x",)), MemoryWire())[1] is None
    here = in_memory(default_subprotocol="ocpp1.6")
    assert here.gateway.admit(HandshakeRequest("a", "h", "p", ()), MemoryWire())[1] is None
    with pytest.raises(HandshakeRefused):
        here.gateway.admit(HandshakeRequest("a", "h", "p", ("x",)), MemoryWire())


def test_a_refused_charger_is_told_of():
    """FIELD 14: `handshake_rejected`."""
    here = in_memory()
    here.gateway.handshake_refused(HandshakeRequest("cp9", "h", "10.0.0.9", ("x",)), 400, "no common subprotocol")
    (event,) = here.published()
    assert event["event"] == "handshake_rejected"
    assert event["data"] == {
        "charger": "cp9", "reason": "no common subprotocol", "status": 400, "offered": ["x"], "remote_address": "10.0.0.9", "left_out": 0,
    }  # fmt: skip


def test_refusals_are_numbered_together_however_many_names_a_stranger_makes_up():
    """HOSTILE: what is kept does not grow with them, and a charger's own numbers have no gap."""
    here = in_memory()
    cp = here.connect()
    for n in range(20):
        here.gateway.handshake_refused(HandshakeRequest("cp1" if n == 7 else f"made-up-{n}", "h", "10.0.0.9", ()), 400, "no")
    cp.call("Heartbeat")
    published = here.published()
    assert set(here.store.seq) == {"cp1", "?"}
    assert [event["seq"] for event in published if event["event"] == "handshake_rejected"] == list(range(1, 21))
    assert [event["seq"] for event in published if event["event"] != "handshake_rejected"] == [1, 2]


def test_of_a_flood_of_refusals_from_one_address_only_some_are_told():
    """F19: and those of others are told all the same."""
    here = in_memory()
    for address in ("10.0.0.9",) * 1000 + ("10.0.0.1",):
        here.gateway.handshake_refused(HandshakeRequest("cp9", "h", address, ()), 400, "no")
    assert [event["data"]["left_out"] for event in here.published()] == [0] * 20 + [980]
    here.clock.advance(60)
    for _ in range(1000):
        here.gateway.handshake_refused(HandshakeRequest("cp9", "h", "10.0.0.9", ()), 400, "no")
    assert len(here.published()) == 10


def test_of_what_was_offered_no_more_is_told_than_somebody_would_read():
    """F19: 6 KiB of subprotocols in each of thousands of events fill Redis."""
    here = in_memory()
    here.gateway.handshake_refused(HandshakeRequest("cp9", "h", "10.0.0.9", ("x" * 100,) * 60), 400, "no")
    (event,) = here.published()
    assert event["data"]["offered"] == ["x" * 40] * 10


def test_a_flood_of_refusals_is_counted_and_not_told_one_by_one():
    here = in_memory()

    def told(number: int) -> list[int]:
        for n in range(number):
            here.gateway.handshake_refused(HandshakeRequest("cp9", "h", f"10.0.{n % 200}.9", ()), 400, "no")
        return [event["data"]["left_out"] for event in here.published()]

    assert told(1000) == [0] * 100
    here.clock.advance(1)
    assert told(10) == [900]
    here.clock.advance(10)
    assert told(10) == [9] + [0] * 9
    here.clock.advance(1e6)
    assert told(200) == [0] * 100


def test_a_stopping_gateway_lets_nobody_in_and_dismisses_the_others():
    """F15: 1012, and the backend hears of each."""
    here = in_memory()
    guests = [here.connect(f"cp{n}") for n in range(5)]
    here.gateway.stopping = True
    with pytest.raises(HandshakeRefused) as refusal:
        here.handshake("late")
    assert refusal.value.status == 503
    assert here.gateway.dismiss(3) == 2 and here.gateway.dismiss(3) == 0
    assert all(guest.wire.closed == (1012, "service restart") for guest in guests)
    assert here.published_names().count("disconnect_charger") == 5


def test_a_charger_is_served_when_the_fleets_memory_is_out_of_reach():
    here = in_memory()
    here.roster.arrive = lambda *_: fail(ConnectionLost())
    here.connect().call("Heartbeat")
    here.roster.arrive = lambda *_: Deferred()
    cp = here.connect("cp2")
    cp.send_call("Heartbeat")
    assert cp.frames() == []
    here.clock.advance(3.1)
    assert len(cp.frames()) == 1


def test_nobody_waits_for_a_memory_that_is_known_to_be_away():
    """What this gateway remembers by itself will do."""
    here = in_memory()
    here.store.tables["record", "cp1"]["boot_status"] = b"Rejected"
    here.roster.arrive = lambda *_: fail(StoreUnavailable())
    here.roster.leave = lambda charger, connection: fail(StoreUnavailable())
    cp = here.connect()
    assert here.gateway.chargers["cp1"].registration == "Rejected"
    cp.disconnect()
    assert here.published_names() == ["connect_charger", "disconnect_charger"]


def test_a_charger_that_is_given_up_is_not_announced_again():
    first = InMemoryGateway(Settings(name="gw1"))
    second = InMemoryGateway(Settings(name="gw2"), store=first.store)
    first.dispatcher.start()
    left: list[tuple[str, str]] = []
    leave = first.roster.leave
    first.roster.leave = lambda charger, connection: left.append((charger, connection)) or leave(charger, connection)
    old = first.connect()
    second.connect()
    assert left == [("cp1", old.charger.connection)] and first.store.owners["cp1"][0] == "gw2"
    first.dispatcher.stop()


def test_the_charger_belongs_to_the_gateway_it_came_to_last():
    """FIELD 23, F13: the first gateway drops it without telling that it left."""
    first = InMemoryGateway(Settings(name="gw1"))
    second = InMemoryGateway(Settings(name="gw2"), store=first.store)
    old = first.connect()
    first.dispatcher.start()
    second.connect().call("StartTransaction", START_1)
    assert first.gateway.chargers == {} and old.wire.closed == (4000, "replaced by a newer connection")
    old.disconnect()
    assert first.published_names() == ["connect_charger", "connect_charger", "start_transaction"]
    first.dispatcher.stop()


def test_a_charger_that_moved_on_is_not_reported_as_gone_by_the_gateway_it_left():
    first = InMemoryGateway(Settings(name="gw1"))
    second = InMemoryGateway(Settings(name="gw2"), store=first.store)
    old = first.connect()
    second.connect()
    old.disconnect()
    assert first.published_names() == ["connect_charger", "connect_charger"]


def test_a_connection_that_is_replaced_or_evicted_has_its_last_line_too(said):
    first = InMemoryGateway(Settings(name="gw1"))
    second = InMemoryGateway(Settings(name="gw2"), store=first.store)
    first.dispatcher.start()
    first.connect()
    newer = first.connect()
    newer.send_call("Heartbeat")
    second.connect()
    assert len([line for line in said if line.startswith("cp1 disconnected after") and "4000 replaced" in line]) == 2
    first.dispatcher.stop()


def test_of_a_flood_of_ends_from_one_address_only_some_are_logged_and_the_others_counted(said):
    here = in_memory()

    def come_and_go(address: str) -> None:
        cp = here.connect(address=address)
        here.gateway.departed(cp.charger, 1000, "")

    def told(address: str) -> list[str]:
        before = len(said)
        come_and_go(address)
        return [line for line in said[before:] if "disconnected" in line]

    for _ in range(LINES.burst):
        assert len(told("10.0.0.1")) == 1
    for _ in range(5):
        assert told("10.0.0.1") == []
    assert len(told("10.0.0.2")) == 1
    here.clock.advance(1)
    assert "(and 5 more from its address)" in told("10.0.0.1")[0]
    assert here.published_names().count("disconnect_charger") == LINES.burst + 7


def test_when_a_whole_fleet_leaves_at_once_some_ends_are_logged_and_the_others_counted(said):
    here = in_memory()
    many = ALL_LINES.burst + 50
    for number in range(many):
        cp = here.connect(f"cp{number}", address=f"10.0.{number // 250}.{number % 250}")
        cp.disconnect(1006, "gone")
    lines = [line for line in said if "disconnected" in line]
    assert len(lines) == ALL_LINES.burst and not any("more" in line for line in lines)
    here.clock.advance(1)
    here.connect("cp0", address="10.0.0.0").disconnect(1006, "gone")
    assert said[-1] == "cp0 disconnected after 0.0 s: 1006 gone (and 50 more in all)"
    assert here.published_names().count("disconnect_charger") == many + 1


def test_a_flood_of_ends_from_one_address_hides_no_other_end(said):
    here = in_memory()
    for _ in range(ALL_LINES.burst + 50):
        here.connect(address="10.0.0.1").disconnect(1000, "")
    here.connect("cp2", address="10.0.0.2").disconnect(1006, "gone")
    assert said[-1] == "cp2 disconnected after 0.0 s: 1006 gone"


def test_a_reason_of_the_chargers_own_is_harmless_in_the_log_and_tells_no_secret(said):
    here = in_memory()
    here.connect("cp1").disconnect(4001, "\x1b[31m\r\nFAKE \u202e{line} password=hunter2")
    (line,) = [each for each in said if "disconnected" in each]
    assert line == r"cp1 disconnected after 0.0 s: 4001 \x1b[31m\r\nFAKE \u202e{line} password=***"
    (event,) = [each for each in here.published() if each["event"] == "disconnect_charger"]
    assert event["data"]["reason"] == "\x1b[31m\r\nFAKE \u202e{line} password=***"
