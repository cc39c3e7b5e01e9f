"""What the gateway thinks of chargers of its own accord: silent, flapping, with a wrong clock (FIELD 13, 29, A3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from in_memory import START_1, in_memory
from ocpp_tw.gateway.liveness import FLAPPING_AFTER, FLAPPING_WINDOW, INTERVAL
from ocpp_tw.testing import START_TIME, ChargerClient, InMemoryGateway

STATUS = {"connectorId": 1, "status": "Available", "errorCode": "NoError"}
BOOT = {"chargePointVendor": "v", "chargePointModel": "m"}


def watching(**settings: Any) -> InMemoryGateway:
    here = in_memory(**settings)
    here.gateway.liveness.start()
    return here


def judged(here: InMemoryGateway, name: str) -> list[dict[str, Any]]:
    return [event["data"] for event in here.published() if event["event"] == name]


def minutes(here: InMemoryGateway, count: int) -> None:
    here.clock.pump([INTERVAL] * count)


def seen(here: InMemoryGateway, cp: ChargerClient) -> dict[str, Any]:
    return here.gateway.liveness.summary(cp.charger)


# silence


def test_a_charger_that_says_nothing_for_three_heartbeats_is_told_of_once():
    """FIELD 13: its connection lives, or it would not be here."""
    here = watching(heartbeat_interval=300)
    cp = here.connect()
    cp.call("BootNotification", BOOT)
    minutes(here, 15)
    assert judged(here, "silent") == [] and not seen(here, cp)["liveness"]["silent"]
    minutes(here, 1)
    assert judged(here, "silent") == [{"charger": "cp1", "seconds": 900}]
    assert seen(here, cp)["liveness"] == {"unresponsive": False, "silent": True, "flapping": False}
    minutes(here, 100)
    assert judged(here, "silent") == []
    cp.call("Heartbeat")
    minutes(here, 1)
    assert judged(here, "silent") == [{"charger": "cp1", "over": True, "seconds": 900 + 6000}]
    assert not seen(here, cp)["liveness"]["silent"]
    minutes(here, 15)
    assert judged(here, "silent") == [{"charger": "cp1", "seconds": 900}]


def test_whoever_says_anything_is_not_silent():
    here = watching(heartbeat_interval=60)
    cp = here.connect()
    for _ in range(30):
        cp.call("StatusNotification", STATUS)
        minutes(here, 2)
    assert "silent" not in here.published_names()


def test_the_interval_is_the_one_that_it_was_given():
    """An operator's retry interval, here; 0 would leave it to the charger, so the settings' counts."""
    here = watching(heartbeat_interval=60, boot_status="Pending")
    here.store.tables["record", "cp1"]["retry_interval"] = b"600"
    here.connect().call("BootNotification", BOOT)
    minutes(here, 30)
    assert judged(here, "silent") == []
    minutes(here, 1)
    assert [data["seconds"] for data in judged(here, "silent")] == [1800]


def test_a_charger_that_never_said_anything_is_silent_too():
    """FIELD 22: it has booted long ago, so the settings' interval counts."""
    here = watching(heartbeat_interval=120)
    here.connect()
    minutes(here, 5)
    assert judged(here, "silent") == []
    minutes(here, 1)
    assert [data["seconds"] for data in judged(here, "silent")] == [360]


def test_the_end_of_a_connection_is_the_end_of_its_silence():
    here = watching(heartbeat_interval=60)
    cp = here.connect()
    minutes(here, 3)
    assert len(judged(here, "silent")) == 1
    cp.disconnect()
    again = here.connect()
    minutes(here, 2)
    assert judged(here, "silent") == [] and not seen(here, again)["liveness"]["silent"]


def test_a_gateway_that_was_suspended_calls_nobody_silent():
    """F16: it is turns that count."""
    here = watching(heartbeat_interval=60)
    here.connect().call("Heartbeat")
    minutes(here, 1)
    here.clock.advance(3600)
    assert "silent" not in here.published_names()


# flapping


def test_a_charger_that_keeps_coming_back_is_told_of_once_per_episode():
    here = watching()
    for n in range(2 * FLAPPING_AFTER):
        cp = here.connect()
        assert seen(here, cp)["liveness"]["flapping"] == (n >= FLAPPING_AFTER - 1)
        here.clock.advance(20)
        cp.disconnect()
    assert judged(here, "flapping") == [{"charger": "cp1", "connects": FLAPPING_AFTER, "seconds": 80}]
    cp = here.connect()
    here.clock.pump([INTERVAL] * 5)
    assert judged(here, "flapping") == [{"charger": "cp1", "over": True, "connects": 2 * FLAPPING_AFTER + 1, "seconds": 300}]
    assert not seen(here, cp)["liveness"]["flapping"]
    cp.disconnect()
    for _ in range(FLAPPING_AFTER):
        here.connect().disconnect()
    assert [data["connects"] for data in judged(here, "flapping")] == [FLAPPING_AFTER]


def test_a_connection_now_and_then_is_no_flapping():
    here = watching()
    for _ in range(20):
        here.connect().disconnect()
        here.clock.advance(FLAPPING_WINDOW / (FLAPPING_AFTER - 1))
    assert "flapping" not in here.published_names()


def test_take_overs_count_as_well_and_two_addresses_are_another_matter():
    """A3: `duplicate_identity` is for those."""
    here = watching()
    for _ in range(FLAPPING_AFTER):
        here.connect().call("Heartbeat")
    names = here.published_names()
    assert names.count("flapping") == 1 and "duplicate_identity" not in names


def test_an_episode_ends_though_the_charger_never_comes_again():
    here = watching()
    for _ in range(FLAPPING_AFTER):
        here.connect().disconnect()
    here.published()
    minutes(here, 6)
    (event,) = here.published()
    assert (event["event"], event["domain"], event["ocpp"]) == ("flapping", "csms.example.com", "1.6")
    assert event["data"]["over"] is True


def test_those_that_are_gone_are_forgotten():
    """A21: identities cost nothing to make up."""
    here = watching()
    stays = here.connect("stays")
    for n in range(1000):
        here.connect(f"cp{n}").disconnect()
    minutes(here, 10)
    assert list(here.gateway.liveness.observed) == ["stays"]
    stays.disconnect()
    minutes(here, 10)
    assert here.gateway.liveness.observed == {}


# clocks


def at(here: InMemoryGateway, ahead: float) -> str:
    """What a clock shows that is ahead by so many seconds."""
    return datetime.fromtimestamp(START_TIME + here.clock.seconds() + ahead, UTC).isoformat().replace("+00:00", "Z")


def reports(here: InMemoryGateway, cp: ChargerClient, ahead: float, wait: float = INTERVAL) -> list[tuple[int, bool]]:
    """The charger tells of a status by a clock that is ahead; what is told in the following minute."""
    cp.call("StatusNotification", STATUS | {"timestamp": at(here, ahead)})
    here.clock.advance(wait)
    return [(data["seconds"], data.get("over", False)) for data in judged(here, "clock_skew")]


def test_a_clock_that_is_right_is_nothing_to_tell():
    here = watching()
    cp = here.connect()
    assert seen(here, cp)["clock_skew"] is None
    for ahead in (0, 2.4, -55, 58, -1):
        assert reports(here, cp, ahead) == []
    assert abs(seen(here, cp)["clock_skew"]) <= 60


def test_a_clock_that_is_ahead_is_told_of_at_once():
    here = watching()
    cp = here.connect()
    assert reports(here, cp, 7200) == [(7200, False)]
    assert seen(here, cp)["clock_skew"] == 7200
    assert [reports(here, cp, ahead) for ahead in (7200, 7210, 7250)] == [[], [], []]
    assert reports(here, cp, 7300) == [(7300, False)]


def test_a_clock_that_is_behind_is_told_of_when_a_second_message_says_so():
    """FIELD 29: one alone may be old."""
    here = watching()
    cp = here.connect()
    assert reports(here, cp, -600) == [] and seen(here, cp)["clock_skew"] is None
    assert reports(here, cp, -603) == [(-603, False)]
    assert reports(here, cp, -605) == [] == reports(here, cp, -605)
    assert reports(here, cp, -700) == [] and reports(here, cp, -700) == [(-700, False)]


def test_two_messages_of_one_moment_are_one_hint():
    """Out of the queue they come together."""
    here = watching()
    cp = here.connect()
    here.clock.advance(INTERVAL - 1)
    assert reports(here, cp, -600, wait=2) == []
    assert reports(here, cp, -600) == []
    assert reports(here, cp, -600) == [(-600, False)]


def test_a_clock_that_was_put_right_is_told_of():
    here = watching()
    ahead, behind = here.connect("ahead"), here.connect("behind")
    reports(here, ahead, 7200)
    reports(here, behind, -1.7e9)
    assert reports(here, behind, -1.7e9) == [(-1_700_000_000, False)]  # 1972: it was never set
    assert reports(here, behind, 0.4) == [(0, True)]
    assert reports(here, ahead, 1) == []
    assert reports(here, ahead, 1) == [(1, True)]
    assert [seen(here, cp)["clock_skew"] for cp in (ahead, behind)] == [1, 0]


def test_a_queue_that_is_sent_after_an_outage_says_nothing_of_the_clock():
    """F22, FIELD 'replay order': old messages in a burst, and again in the next minutes; the largest counts."""
    here = watching()
    cp = here.connect()
    for age in range(3600, 0, -45):
        assert reports(here, cp, -age, wait=0.2) == []
    for age in (5000, 4000, 3000, 2000, 1000):
        assert reports(here, cp, -age) == []
    assert seen(here, cp)["clock_skew"] is None
    assert reports(here, cp, -2) == []
    assert seen(here, cp)["clock_skew"] == -2
    for age in range(3600, 0, -45):
        assert reports(here, cp, -age, wait=30) == []
    assert abs(seen(here, cp)["clock_skew"]) <= 30


def test_a_start_tells_the_time_but_not_one_from_the_queue():
    here = watching()
    cp, newer = here.connect(), here.connect("cp2", ocpp="2.0.1")
    cp.call("StartTransaction", START_1 | {"timestamp": at(here, 100)})
    event = {"eventType": "Started", "triggerReason": "Authorized", "seqNo": 0, "timestamp": at(here, 100), "offline": True}
    newer.call("TransactionEvent", event | {"transactionInfo": {"transactionId": "t1"}})
    minutes(here, 1)
    assert [data["charger"] for data in judged(here, "clock_skew")] == ["cp1"]
    newer.call("TransactionEvent", event | {"timestamp": at(here, 200), "offline": False, "transactionInfo": {"transactionId": "t2"}})
    minutes(here, 1)
    assert [(data["charger"], data["seconds"]) for data in judged(here, "clock_skew")] == [("cp2", 200)]


@pytest.mark.parametrize("text", ["yesterday", "", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_nonsense_is_no_time(text):
    """FIELD 20."""
    here = watching()
    cp = here.connect()
    cp.send_call("StatusNotification", STATUS | {"timestamp": text})
    assert len(cp.frames()) == 1
    minutes(here, 2)
    assert judged(here, "clock_skew") == [] and seen(here, cp)["clock_skew"] is None
    assert reports(here, cp, 90) == [(90, False)]


def test_it_is_not_told_again_for_each_connection():
    here = watching()
    cp = here.connect()
    assert len(reports(here, cp, 7200)) == 1
    for _ in range(3):
        cp.disconnect()
        here.clock.advance(INTERVAL)
        cp = here.connect()
        assert reports(here, cp, 7200) == [] and seen(here, cp)["clock_skew"] == 7200
