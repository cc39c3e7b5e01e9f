"""A gateway that is gone: its chargers' `disconnect_charger` comes from another one."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import fail

from in_memory import in_memory
from ocpp_tw.gateway import orphans
from ocpp_tw.interfaces import StoreUnavailable
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway


def fleet(*names: str) -> list[InMemoryGateway]:
    first = in_memory(name=names[0])
    others = [InMemoryGateway(replace(Settings(name=name)), first.store, first.clock) for name in names[1:]]
    return [first, *others]


def look(gone: InMemoryGateway, *gateways: InMemoryGateway) -> list[dict]:
    """The gateways' looks after one is gone, and what was published then."""
    gone.store.living.discard(gone.settings.name)
    for each in gateways:
        each.application.gateway.orphans.start()
    gone.published()
    gone.clock.advance(orphans.INTERVAL)
    gone.clock.advance(orphans.INTERVAL)
    for each in gateways:
        each.application.gateway.orphans.stop()
    assert not gone.clock.getDelayedCalls()
    return gone.published()


def test_the_survivors_publish_it_once_with_its_number():
    gone, *others = fleet("a", "b", "c")
    gone.connect("cp1", ocpp="2.0.1")
    gone.connect("cp2")
    others[0].connect("cp3")
    told = look(gone, *others)
    assert [(each["event"], each["data"]["charger"], each["seq"], each["ocpp"]) for each in told] == [
        ("disconnect_charger", "cp1", 2, "2.0.1"),
        ("disconnect_charger", "cp2", 2, "1.6"),
    ]
    assert {each["gateway"] for each in told} == {"b"} and {each["domain"] for each in told} == {"csms.example.com"}
    data = told[0]["data"]
    assert data["reason"] == "its gateway a is gone"
    assert [data[name] for name in ("code", "seconds", "received", "sent", "violations")] == [None, 0, 0, 0, 0]


def test_one_that_is_back_meanwhile_is_left_alone():
    gone, other = fleet("a", "b")
    gone.connect("cp1")
    gone.store.living.discard("a")
    other.connect("cp1")
    assert look(gone, other) == []


def test_a_gateway_that_was_only_cut_off_publishes_that_its_chargers_are_connected():
    gone, other = fleet("a", "b")
    client = gone.connect("cp1")
    gone.connect("cp2")
    assert len(look(gone, other)) == 2
    gone.gateway.departed(client.charger, 1000, "")
    assert gone.published_names() == []  # the backend knows
    gone.roster.renew()
    (connected,) = gone.published()
    assert (connected["event"], connected["data"]["charger"], connected["gateway"]) == ("connect_charger", "cp2", "a")
    assert connected["data"]["previous"] is None
    assert look(in_memory(), other) == []


def test_more_than_are_published_at_once(monkeypatch):
    monkeypatch.setattr(orphans, "MAX_AT_ONCE", 2)
    gone, other = fleet("a", "b")
    for n in range(5):
        gone.connect(f"cp{n}")
    gone.store.living.discard("a")
    gone.published()
    other.gateway.orphans.start()
    other.events.paused = True
    other.clock.advance(orphans.INTERVAL)
    assert other.events.waiting == 2
    other.events.resume()
    assert [each["data"]["charger"] for each in gone.published()] == [f"cp{n}" for n in range(5)]
    other.gateway.orphans.stop()


def test_a_command_to_one_ends_offline():
    gone, other = fleet("a", "b")
    gone.connect("cp1")
    look(gone, other)
    other.dispatcher.start()
    other.push_command(CpID="cp1", data=[2, "x", "Reset", {"type": "Soft"}])
    assert other.command_result()["outcome"] == "offline"
    other.dispatcher.stop()


def test_a_gateway_that_was_cut_off_does_not_tell_of_a_charger_that_is_elsewhere_by_then():
    cut_off, other = fleet("a", "b")
    moved, stayed = cut_off.connect("cp1"), cut_off.connect("cp2")
    cut_off.roster.leave = lambda *_: fail(StoreUnavailable())
    cut_off.events.paused = True
    for each in (moved, stayed):
        cut_off.gateway.departed(each.charger, 1006, "")
    other.connect("cp1")
    cut_off.published()
    cut_off.events.resume()
    assert [each["data"]["charger"] for each in cut_off.published()] == ["cp2"]
