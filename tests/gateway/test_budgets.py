"""What a charger may send in the long run, and what becomes of one that sends more."""

from __future__ import annotations

import pytest

from in_memory import in_memory
from ocpp_tw.gateway.budgets import BURST_BYTES, BURST_MESSAGES, DISCONNECT_AFTER, FLOODING_AFTER, OVER_AFTER
from ocpp_tw.testing import ChargerClient, InMemoryGateway


def gateway(**settings) -> InMemoryGateway:
    here = in_memory(**{"message_rate": 10, "byte_rate": 10_000, **settings})
    here.gateway.budgets.start()
    return here


def send(here: InMemoryGateway, cp: ChargerClient, messages: int, size: int = 0, seconds: float = 1) -> None:
    """So many messages, and the time after them."""
    for _ in range(messages):
        cp.send_call("DataTransfer", {"vendorId": "v", "data": "x" * size} if size else {"vendorId": "v"})
    here.clock.advance(seconds)


def floods(here: InMemoryGateway) -> list[dict]:
    return [event["data"] for event in here.published() if event["event"] == "flooding"]


def wait(here: InMemoryGateway, seconds: float) -> None:
    for _ in range(round(seconds)):
        here.clock.advance(1)


def test_within_the_budget_there_is_no_account():
    here = gateway()
    cp = here.connect()
    for _ in range(300):
        send(here, cp, 10)
    assert not cp.wire.held and not here.gateway.budgets._accounts


def test_a_burst_is_served_at_once():
    """The queue of a charger that was offline for days: thousands of messages with the default settings."""
    here = gateway(message_rate=100, byte_rate=128 << 10)
    cp = here.connect()
    for _ in range(10):
        send(here, cp, 900, size=500)
        assert not cp.wire.held
    assert floods(here) == []
    wait(here, 100)
    assert not here.gateway.budgets._accounts


@pytest.mark.parametrize(("settings", "size"), [({"byte_rate": 0}, 0), ({"message_rate": 0}, 900)])
def test_beyond_its_burst_it_is_held_until_it_is_within_its_budget(settings, size):
    here = gateway(**settings)
    cp = here.connect()
    burst = 10 * BURST_MESSAGES if not size else 10 * BURST_BYTES
    send(here, cp, burst, size)
    assert not cp.wire.held
    send(here, cp, 100, size)
    assert cp.wire.held and not cp.wire.closed
    wait(here, 11)
    assert not cp.wire.held
    assert floods(here) == []  # a little over it is no flood


def test_another_charger_is_not_concerned():
    here = gateway()
    cp, other = here.connect(), here.connect("cp2")
    send(here, cp, 10 * BURST_MESSAGES + 200)
    assert cp.wire.held and not other.wire.held


def test_a_flood_is_told_once_and_once_more_when_it_is_over():
    here = gateway(byte_rate=0)
    cp = here.connect(ocpp="2.0.1")
    flood = 10 * (BURST_MESSAGES + FLOODING_AFTER) + 11
    send(here, cp, flood)
    assert here.gateway.budgets.flooding("cp1")
    (event,) = [each for each in here.published() if each["event"] == "flooding"]
    assert event["data"]["messages"] == flood and event["data"]["bytes"] > 10 * flood and "over" not in event["data"]
    assert (event["ocpp"], event["domain"]) == ("2.0.1", "csms.example.com")
    wait(here, FLOODING_AFTER + 2)
    assert not cp.wire.held
    send(here, cp, flood)
    assert cp.wire.held and floods(here) == []  # the same flood
    wait(here, 10 * FLOODING_AFTER + 2 * BURST_MESSAGES + OVER_AFTER)
    (over,) = floods(here)
    assert over["over"] is True and over["messages"] == 2 * flood
    assert not here.gateway.budgets.flooding("cp1") and not here.gateway.budgets._accounts


def test_who_goes_on_with_it_is_disconnected_at_last():
    here = gateway(byte_rate=0)
    cp = here.connect()
    flood, spent = 10 * (BURST_MESSAGES + FLOODING_AFTER) + 11, 0.0
    while not cp.wire.closed:
        if not cp.wire.held:
            send(here, cp, flood)
        wait(here, 1)
        spent = here.clock.seconds()
        assert spent < 2 * DISCONNECT_AFTER
    assert cp.wire.closed == (1008, "flooding") and spent >= DISCONNECT_AFTER
    assert len(floods(here)) == 1
    here.gateway.departed(cp.charger, 1008, "flooding")
    again = here.connect()
    here.clock.advance(1)
    assert again.wire.held == (here.gateway.budgets._accounts["cp1"].owed_messages > 10 * BURST_MESSAGES)
    wait(here, 3 * DISCONNECT_AFTER)
    assert len(floods(here)) == 1 and not here.gateway.budgets._accounts


def test_what_ended_connections_have_sent_counts():
    """However few each of them sends, and however often it connects between two looks at the budget."""
    here = gateway(byte_rate=0)
    for _ in range(10):
        for _ in range(20):
            cp = here.connect()
            send(here, cp, 9, seconds=0)
            cp.disconnect()
        here.clock.advance(1)
    again = here.connect()
    assert again.wire.held and len(floods(here)) == 1
    wait(here, 200)
    assert not again.wire.held


def test_what_a_connection_has_sent_before_another_replaced_it_counts():
    here = gateway(byte_rate=0)
    ended = []
    for _ in range(12):
        cp = here.connect()
        send(here, cp, 100, seconds=0)
        ended.append(cp)
    ended.pop()
    for each in ended:
        assert each.wire.closed
        each.disconnect()
    here.clock.advance(1)
    assert cp.wire.held and not cp.wire.closed


def test_who_is_over_its_budget_is_held_on_its_next_connection_before_it_sends_anything():
    here = gateway(byte_rate=0)
    cp = here.connect()
    send(here, cp, 10 * BURST_MESSAGES + 50)
    cp.disconnect()
    again = here.connect()
    assert again.wire.held and not here.connect("cp2").wire.held
    third = here.connect()  # waits to take over, which is not to fail for this
    assert not third.wire.held
    third.send_call("Heartbeat")
    assert third.wire.held
    wait(here, 10)
    assert not third.wire.held


def test_an_ended_connection_within_its_budget_is_soon_forgotten():
    here = gateway()
    cp = here.connect()
    send(here, cp, 5, seconds=0)
    cp.disconnect()
    here.clock.advance(1)
    assert not here.gateway.budgets._accounts


def test_frames_that_are_no_messages_count():
    here = gateway()
    cp = here.connect()
    cp.charger.frames_beside(10 * BURST_MESSAGES + 11)
    here.clock.advance(1)
    assert cp.wire.held


def test_without_a_budget_nothing_is_counted():
    here = gateway(message_rate=0, byte_rate=0)
    cp = here.connect()
    send(here, cp, 5000)
    assert not cp.wire.held and not here.gateway.budgets._accounts


def test_the_two_reasons_to_hold_a_charger_do_not_end_each_other():
    here = gateway()
    cp = here.connect()
    send(here, cp, 10 * BURST_MESSAGES + 50)
    here.events.paused = True
    assert cp.wire.held
    for _ in range(40):
        cp.send_call("Heartbeat")
    here.events.resume()
    assert cp.wire.held
    here.events.paused = True
    for _ in range(40):
        cp.send_call("Heartbeat")
    wait(here, 60)
    assert cp.wire.held
    here.events.resume()
    assert not cp.wire.held


def test_an_operator_sees_it():
    here = gateway()
    cp = here.connect()
    assert not here.gateway.budgets.flooding("cp1")
    send(here, cp, 10 * (BURST_MESSAGES + FLOODING_AFTER) + 11)
    assert here.gateway.budgets.flooding("cp1")
