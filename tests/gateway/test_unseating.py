"""Who takes a connection's place: whoever is authenticated, or comes from the same address, or finds the connection dead; nobody else.

Of another gateway's connection it is the same.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer

from in_memory import START_1, in_memory
from ocpp_tw.gateway.elsewhere import ANSWER_TIMEOUT
from ocpp_tw.gateway.probes import ALIVE_FOR, PROBE_TIMEOUT
from ocpp_tw.interfaces import HandshakeRequest, IGate
from ocpp_tw.settings import Settings
from ocpp_tw.testing import ChargerClient, InMemoryGateway

HERE, ELSEWHERE = "192.0.2.1", "198.51.100.7"

REFUSED = (1008, "another connection of this identity is alive")
REPLACED = (4000, "replaced by a newer connection")


@implementer(IGate)
class ByOffer:
    """A handshake has the security profile that its charger offers as a subprotocol."""

    def admit(self, request: HandshakeRequest) -> int:
        return int(request.offered[1])


@pytest.fixture
def here() -> InMemoryGateway:
    return InMemoryGateway(Settings(name="gw"), gate=ByOffer())


def connect(here: InMemoryGateway, address: str = HERE, profile: int = 0) -> ChargerClient:
    client = here.handshake("cp1", address, ("ocpp1.6", str(profile)))
    here.gateway.arrived(client.charger)
    return client


def current(here: InMemoryGateway) -> Any:
    return here.gateway.chargers.get("cp1")


def answer(client: ChargerClient) -> None:
    """Answer the pings that have come, as a peer does that is alive."""
    pings, client.wire.pings = client.wire.pings, []
    for each in pings:
        each()


def told(here: InMemoryGateway, kind: str) -> list[dict[str, Any]]:
    return [each["data"] for each in here.published() if each["event"] == "security_event" and each["data"]["kind"] == kind]


def test_a_strangers_message_does_not_take_a_live_connections_place(here):
    old, new = connect(here), connect(here, ELSEWHERE)
    new.send_call("StartTransaction", START_1)
    assert current(here) is old.charger and new.frames() == [] and not new.wire.closed
    answer(old)
    assert new.wire.closed == REFUSED and new.charger.gone
    assert current(here) is old.charger and not old.wire.closed
    new.disconnect(1008)
    old.call("Heartbeat")
    assert [each for each in here.published_names() if each != "security_event"] == ["connect_charger", "health"]


def test_whoever_is_turned_away_is_told_of_with_both_addresses(here, said):
    old, _ = connect(here), connect(here, ELSEWHERE)
    answer(old)
    assert told(here, "take_over_refused") == [
        {
            "charger": "cp1", "kind": "take_over_refused", "by": None, "remote_address": ELSEWHERE, "count": 1, "left_out": 0,
            "detail": f"from {HERE}, where a connection is alive",
        }
    ]  # fmt: skip
    assert f"take-over of cp1 by {ELSEWHERE} refused: the connection from {HERE} is alive" in said


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ((HERE, 0), (ELSEWHERE, 1), "authenticated"),
        ((HERE, 3), (ELSEWHERE, 2), "authenticated"),
        ((HERE, 0), (HERE, 2), "authenticated"),
        ((HERE, 0), (HERE, 0), "same_address"),
        (("2001:db8::1", 0), ("2001:db8::2", 0), "same_address"),
        (("::ffff:192.0.2.1", 0), (HERE, 0), "same_address"),
    ],
)
def test_who_is_authenticated_or_comes_from_the_same_address_takes_over_with_the_first_message(here, before, after, why):
    old, new = connect(here, *before), connect(here, *after)
    new.call("Heartbeat")
    assert current(here) is new.charger and old.wire.closed == REPLACED
    data = [each["data"] for each in here.published() if each["event"] == "connect_charger"]
    assert [(each["previous"], each["takeover"]) for each in data] == [(None, None), (old.charger.connection, why)]


@pytest.mark.parametrize(
    ("before", "after"),
    [((HERE, 0), (ELSEWHERE, 0)), ((HERE, 1), (HERE, 0)), ((HERE, 2), (ELSEWHERE, 0)), (("::1", 0), ("::1:0:0:0:1", 0))],
)
def test_who_is_not_takes_over_from_a_dead_connection_alone(here, before, after):
    """The charger that has changed its network comes back after two seconds."""
    old, new = connect(here, *before), connect(here, *after)
    new.send_call("Heartbeat")
    here.clock.advance(PROBE_TIMEOUT - 0.1)
    assert current(here) is old.charger and new.frames() == []
    here.clock.advance(0.2)
    assert current(here) is new.charger and len(new.frames()) == 1 and old.wire.closed == REPLACED
    data = [each["data"] for each in here.published() if each["event"] == "connect_charger"]
    assert (data[1]["previous"], data[1]["takeover"]) == (old.charger.connection, "dead")


def test_who_comes_when_the_connection_ends_has_taken_over_from_nobody(here):
    old, new = connect(here), connect(here, ELSEWHERE)
    new.send_call("Heartbeat")
    old.disconnect()
    assert current(here) is new.charger and len(new.frames()) == 1
    data = [each["data"] for each in here.published() if each["event"] == "connect_charger"]
    assert (data[1]["previous"], data[1]["takeover"]) == (None, None)


def test_the_take_over_of_a_live_connection_is_told_with_both_addresses(here):
    old, new = connect(here), connect(here, ELSEWHERE, 1)
    new.call("Heartbeat")
    answer(old)
    assert told(here, "take_over") == [
        {
            "charger": "cp1", "kind": "take_over", "by": None, "remote_address": ELSEWHERE, "count": 1, "left_out": 0,
            "detail": f"from {HERE}, where a connection was alive",
        }
    ]  # fmt: skip


def test_a_sign_of_life_that_was_not_read_in_time_counts(here):
    """This process was busy for longer than the probe lasts: the answer is read in the turn that follows."""
    old, new = connect(here), connect(here, ELSEWHERE)
    order: list[str] = []
    here.clock.callLater(PROBE_TIMEOUT, lambda: (order.append("read"), answer(old)))
    here.clock.advance(PROBE_TIMEOUT + 5)
    assert order and current(here) is old.charger and new.wire.closed == REFUSED


def test_a_stranger_does_not_displace_the_charger_that_waits(here):
    """The charger is back with a new connection, and waits for the probe of its old one."""
    old, back = connect(here), connect(here)
    strangers = [connect(here, ELSEWHERE) for _ in range(5)]
    assert [each.wire.closed for each in strangers] == [REFUSED] * 5 and not back.wire.closed
    back.call("Heartbeat")
    assert current(here) is back.charger and old.wire.closed == REPLACED


def test_the_charger_displaces_strangers_that_wait(here):
    connect(here)
    stranger, back = connect(here, ELSEWHERE), connect(here)
    assert stranger.wire.closed == (4000, "replaced")
    back.call("Heartbeat")
    assert current(here) is back.charger


def test_who_is_not_authenticated_does_not_displace_who_is(here):
    connect(here)
    waiting, other = connect(here, ELSEWHERE, 1), connect(here)
    assert other.wire.closed == REFUSED and not waiting.wire.closed
    newer = connect(here, "203.0.113.1", 1)
    assert waiting.wire.closed == (4000, "replaced")
    newer.call("Heartbeat")
    assert current(here) is newer.charger


def test_of_those_that_may_not_the_first_address_waits(here):
    """A dead connection's place is its, in the newest connection from there."""
    connect(here)
    first, other, again = connect(here, ELSEWHERE), connect(here, "203.0.113.1"), connect(here, ELSEWHERE)
    assert first.wire.closed == (4000, "replaced") and other.wire.closed == REFUSED
    again.send_call("Heartbeat")
    here.clock.advance(PROBE_TIMEOUT)
    assert current(here) is again.charger


def test_a_flood_of_strangers_costs_the_charger_one_ping_at_a_time_and_none_keeps_it_out(here):
    """A charger that answers many pings at once is closed for a flood of its own."""
    old, pings = connect(here), 0
    for n in range(1000):
        stranger = connect(here, f"198.51.100.{n % 200}")
        stranger.send_call("Heartbeat")
        assert len(old.wire.pings) <= 1 and current(here) is old.charger
        if n % 7 == 3:
            pings += len(old.wire.pings)
            answer(old)
        here.clock.advance(0.01)
    assert pings <= 10 / ALIVE_FOR + 1
    (event,) = told(here, "take_over_refused")
    assert event["count"] == 1
    back = connect(here)
    back.call("Heartbeat")
    assert current(here) is back.charger
    here.clock.advance(60)
    connect(here, ELSEWHERE)
    answer(back)
    (event,) = told(here, "take_over_refused")
    assert event["count"] > 900


def test_a_flood_of_strangers_that_come_and_go_costs_one_ping_and_holds_up_no_command(here):
    here.dispatcher.start()
    old = connect(here)
    old.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    for _ in range(100):
        connect(here, ELSEWHERE).disconnect()
    assert len(old.wire.pings) == 1
    here.push_command(cp_id="cp1", command="clear_cache", data={}, id="u1")
    assert [frame[1] for frame in old.frames()] == ["u1"]
    here.dispatcher.stop()


@pytest.mark.parametrize("hangs_up", [True, False])
def test_a_stranger_does_not_use_up_the_chargers_budget(here, hangs_up):
    here.application.start()
    old = connect(here)
    for _ in range(20):
        stranger = connect(here, ELSEWHERE)
        for _ in range(1000):
            stranger.send_call("Heartbeat")
        if not hangs_up:
            answer(old)
        stranger.disconnect()
        here.clock.advance(1)
    assert "flooding" not in here.published_names() and not old.wire.held
    old.call("Heartbeat")
    here.application.stop()


def test_behind_a_proxy_all_chargers_have_one_address_and_the_last_one_that_speaks_is_the_charger():
    here = in_memory()
    old, new = here.connect(), here.connect()
    new.call("Heartbeat")
    assert current(here) is new.charger and old.wire.closed == REPLACED


# the connection is another gateway's


@pytest.fixture
def there(here):
    """Another gateway of the fleet."""
    other = InMemoryGateway(Settings(name="gw2"), here.store, here.clock, gate=ByOffer())
    for each in (here, other):
        each.dispatcher.start()
    yield other
    for each in (here, other):
        each.dispatcher.stop()


def connects(here: InMemoryGateway) -> list[tuple[str, str, Any, Any]]:
    """Of each `connect_charger`: by which gateway, from where, and what it took over from and why."""
    data = [(each["gateway"], each["data"]) for each in here.published() if each["event"] == "connect_charger"]
    return [(gateway, each["remote_address"], each["previous"], each["takeover"]) for gateway, each in data]


@pytest.mark.parametrize("address", [HERE, ELSEWHERE])
@pytest.mark.parametrize("profile", [0, 2])
@pytest.mark.parametrize("alive", [True, False])
def test_who_waits_without_a_word_does_not_end_a_newer_connection_to_another_gateway(here, there, address, profile, alive):
    """It was let in when the connection before it was evicted, and evicted the newer one in its turn."""
    old, idle = connect(here, HERE, profile), connect(here, address, profile)
    if alive and (profile or address == HERE):
        answer(old)
    newest = connect(there, HERE, 2)
    assert (old.wire.closed, idle.wire.closed) == (REPLACED, (4000, "replaced")) and current(here) is None
    here.clock.advance(PROBE_TIMEOUT + 1)
    idle.disconnect(4000)
    newest.call("Heartbeat")
    assert current(there) is newest.charger and not newest.wire.closed and here.store.owners["cp1"][0] == "gw2"
    assert [gateway for gateway, *_ in connects(here)] == ["gw", "gw2"] and here.clock.getDelayedCalls() == []


@pytest.mark.parametrize("alive", [True, False])
def test_who_waits_and_has_spoken_is_judged_by_the_connection_that_is_newer_elsewhere(here, there, alive):
    """That one has evicted the connection whose probe it waited for."""
    old, waiting = connect(here), connect(here, ELSEWHERE)
    waiting.send_call("Heartbeat")
    newest = connect(there)
    assert old.wire.closed == REPLACED and not waiting.wire.closed
    if alive:
        answer(newest)
        assert waiting.wire.closed == REFUSED and current(there) is newest.charger
    here.clock.advance(PROBE_TIMEOUT + 0.1)
    here.clock.advance(0)
    assert (current(here) is waiting.charger, len(waiting.frames())) == ((False, 0) if alive else (True, 1))


def test_a_strangers_message_to_another_gateway_does_not_take_a_live_connections_place(here, there):
    old, new = connect(here), connect(there, ELSEWHERE)
    new.send_call("StartTransaction", START_1)
    assert current(here) is old.charger and current(there) is None and not new.wire.closed
    answer(old)
    assert new.wire.closed == REFUSED and new.charger.gone and new.frames() == []
    new.disconnect(1008)
    assert current(here) is old.charger and not old.wire.closed and here.store.owners["cp1"][0] == "gw"
    events = here.published()
    assert [each["data"]["charger"] for each in events] == ["cp1"] * 2
    assert [each["event"] for each in events] == ["connect_charger", "security_event"]
    assert events[1]["gateway"] == "gw2" and events[1]["data"]["kind"] == "take_over_refused"
    assert events[1]["data"]["remote_address"] == ELSEWHERE and HERE in events[1]["data"]["detail"]
    assert here.clock.getDelayedCalls() == []


def test_of_all_gateways_one_tells_in_a_minute_that_somebody_was_turned_away(here, there):
    """And what was turned away by the others their own next event counts."""
    old = connect(here)

    def turned_away(*gateways: InMemoryGateway) -> list[tuple[str, int]]:
        for gateway in gateways:
            connect(gateway, ELSEWHERE)
            answer(old)
        events = [each for each in here.published() if each["event"] == "security_event"]
        assert {each["data"]["kind"] for each in events} <= {"take_over_refused"}
        return [(each["gateway"], each["data"]["count"]) for each in events]

    assert turned_away(here, there, there, here) == [("gw", 1)]
    here.clock.advance(61)
    assert turned_away(there, here) == [("gw2", 3)]
    here.clock.advance(61)
    assert turned_away(here) == [("gw", 3)]
    here.clock.advance(61)
    for each in (here, there):
        each.register.available = False
    assert turned_away(here, there) == [("gw", 1), ("gw2", 1)]


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ((HERE, 0), (ELSEWHERE, 1), "authenticated"),
        ((HERE, 3), (HERE, 1), "authenticated"),
        ((HERE, 0), (HERE, 0), "same_address"),
        (("2001:db8::1", 0), ("2001:db8::2", 0), "same_address"),
    ],
)
def test_who_may_takes_over_at_another_gateway_at_once(here, there, before, after, why):
    old, new = connect(here, *before), connect(there, *after)
    new.call("Heartbeat")
    assert current(here) is None and old.wire.closed == REPLACED and old.wire.pings
    answer(old)
    events = here.published()
    assert [each["data"]["takeover"] for each in events if each["event"] == "connect_charger"] == [None, why]
    assert [each["data"]["previous"] for each in events if each["event"] == "connect_charger"] == [None, old.charger.connection]
    (told_of,) = [each for each in events if each["event"] == "security_event"]
    assert (told_of["gateway"], told_of["data"]["kind"]) == ("gw", "take_over")
    assert told_of["data"]["detail"] == f"from {before[0]}, where a connection was alive"


def test_the_charger_that_has_changed_its_network_comes_to_another_gateway_after_the_probe(here, there):
    old, new = connect(here), connect(there, ELSEWHERE)
    new.send_call("Heartbeat")
    here.clock.advance(PROBE_TIMEOUT - 0.1)
    assert current(here) is old.charger and new.frames() == []
    here.clock.advance(0.2)
    assert current(there) is new.charger and len(new.frames()) == 1 and current(here) is None
    assert connects(here) == [("gw", HERE, None, None), ("gw2", ELSEWHERE, old.charger.connection, "dead")]


def test_it_comes_at_once_when_the_connection_there_ends(here, there):
    old, new = connect(here), connect(there, ELSEWHERE)
    new.send_call("Heartbeat")
    old.disconnect()
    assert current(there) is new.charger and len(new.frames()) == 1
    assert connects(here) == [("gw", HERE, None, None), ("gw2", ELSEWHERE, None, None)]
    assert here.store.owners["cp1"][0] == "gw2"


def test_a_gateway_that_does_not_answer_keeps_no_charger_out(here, there):
    """It hangs, or its list of commands is long."""
    connect(here)
    here.dispatcher.stop()
    new = connect(there, ELSEWHERE)
    new.send_call("Heartbeat")
    here.clock.advance(ANSWER_TIMEOUT - 0.1)
    assert current(there) is None
    here.clock.advance(0.2)
    assert current(there) is new.charger and len(new.frames()) == 1


def test_a_flood_of_strangers_at_another_gateway_costs_one_ping_at_a_time_and_none_keeps_the_charger_out(here, there):
    old, pings = connect(here), 0
    for n in range(500):
        connect(there, f"198.51.100.{n % 200}").send_call("Heartbeat")
        assert len(old.wire.pings) <= 1 and current(here) is old.charger
        if n % 7 == 3:
            pings += len(old.wire.pings)
            answer(old)
        here.clock.advance(0.01)
    assert pings <= 5 / ALIVE_FOR + 1
    back = connect(there)
    back.call("Heartbeat")
    assert current(there) is back.charger and old.wire.closed == REPLACED
    assert [each[:2] for each in connects(here)] == [("gw", HERE), ("gw2", HERE)]


def test_the_charger_comes_in_while_a_stranger_waits_for_the_answer(here, there):
    connect(here)
    stranger = connect(there, ELSEWHERE)
    back = connect(there)
    assert stranger.wire.closed == REFUSED and current(there) is back.charger
    back.call("Heartbeat")


def test_of_strangers_that_wait_for_the_answer_the_first_address_waits(here, there):
    old = connect(here)
    first, other, again = connect(there, ELSEWHERE), connect(there, "203.0.113.1"), connect(there, ELSEWHERE)
    assert first.wire.closed == (4000, "replaced") and other.wire.closed == REFUSED and len(old.wire.pings) == 1
    here.clock.advance(PROBE_TIMEOUT)
    assert current(there) is again.charger


def test_a_stranger_that_hangs_up_before_the_answer_leaves_nothing_behind(here, there):
    old, new = connect(here), connect(there, ELSEWHERE)
    new.disconnect()
    answer(old)
    here.clock.advance(10)
    assert [each[0] for each in connects(here)] == ["gw"] and current(here) is old.charger
    assert here.clock.getDelayedCalls() == []


def after(act, waiting: list[Any]):
    """The roster's method, which does nothing before what is in ``waiting`` is called."""

    def asked(*args: Any) -> Deferred[Any]:
        answered: Deferred[Any] = Deferred()
        waiting.append(lambda: act(*args).chainDeferred(answered))
        return answered

    return asked


@pytest.mark.parametrize(("address", "expected"), [(ELSEWHERE, []), (HERE, ["connect_charger", "disconnect_charger"])])
def test_who_is_gone_before_the_roster_answers_is_published_only_if_it_had_the_charger(here, there, address, expected):
    """A stranger that hangs up at once is in no event."""
    old, waiting = connect(here), []
    there.roster.arrive, there.roster.leave = after(there.roster.arrive, waiting), after(there.roster.leave, waiting)
    new = connect(there, address)
    here.published()
    new.disconnect()
    for each in waiting:
        each()
    assert [each["event"] for each in here.published() if each["gateway"] == "gw2"] == expected
    assert (current(here) is old.charger) == (address == ELSEWHERE)


def test_who_comes_while_the_roster_is_asked_about_another_is_asked_about_too(here, there):
    """The charger may be the second of them."""
    old, waiting = connect(here), []
    arrive, there.roster.arrive = there.roster.arrive, after(there.roster.arrive, waiting)
    stranger, back = connect(there, ELSEWHERE), connect(there)
    there.roster.arrive = arrive
    waiting[0]()
    assert current(there) is back.charger and old.wire.closed == REPLACED and stranger.wire.closed == REFUSED
    back.call("Heartbeat")


def test_of_a_connection_that_was_replaced_before_the_roster_answered_nothing_is_published(here):
    waiting: list[Any] = []
    arrive, here.roster.arrive = here.roster.arrive, after(here.roster.arrive, waiting)
    connect(here)
    here.roster.arrive = arrive
    newer = connect(here)
    newer.call("Heartbeat")
    waiting[0]()
    assert connects(here) == [("gw", HERE, None, None)] and current(here) is newer.charger
