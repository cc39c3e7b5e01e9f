"""What Prometheus is told of a gateway."""

from __future__ import annotations

from typing import Any

import pytest

from ocpp_tw.backend.static import StaticBackend
from ocpp_tw.gateway.answer_times import AnswerTimes
from ocpp_tw.histogram import Histogram
from ocpp_tw.interfaces import HandshakeRequest
from ocpp_tw.monitoring.metric_table import METRICS
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway
from prometheus_text import Samples

BOOT = {"chargePointVendor": "v", "chargePointModel": "m"}


async def told(gateway: InMemoryGateway) -> Samples:
    return Samples((await gateway.application.metrics.text()).decode())


async def test_messages_are_counted_by_action_and_direction_and_unknown_actions_together():
    gateway = InMemoryGateway()
    charger = gateway.connect()
    charger.call("BootNotification", BOOT)
    for action in ("Heartbeat", "Heartbeat", "Foo", "Bar", "Heartbeat-Signed"):
        charger.send_call(action)
    charger.send_call("Reset")  # known, but not for chargers to send
    charger.charger.call("Reset", {"type": "Soft"})
    samples = await told(gateway)
    assert samples("ocpp_messages_total", direction="in", action="BootNotification") == 1
    assert samples("ocpp_messages_total", direction="in", action="Heartbeat") == 2
    assert samples("ocpp_messages_total", direction="in", action="other") == 3
    assert samples("ocpp_messages_total", direction="in", action="Reset") == 1
    assert samples("ocpp_messages_total", direction="out", action="Reset") == 1


async def test_events_are_counted_by_name_whatever_they_come_from():
    gateway = InMemoryGateway()
    charger = gateway.connect()
    charger.call("BootNotification", BOOT)
    charger.send_call("Foo")
    charger.disconnect()
    samples = await told(gateway)
    names = gateway.published_names()
    assert {"connect_charger", "boot_notification", "message_refused", "disconnect_charger"} <= set(names)
    for name in names:
        assert samples("ocpp_events_total", event=name) == names.count(name)
    assert samples("ocpp_events_total", event="silent") == 0  # what has not happened yet is known, too


async def test_chargers_are_counted_by_state_and_version():
    gateway = InMemoryGateway()
    gateway.connect("cp1")
    gateway.connect("cp2", ocpp="2.0.1")
    faulty = gateway.connect("cp3")
    faulty.call("StatusNotification", {"connectorId": 1, "status": "Faulted", "errorCode": "GroundFailure"})
    gateway.application.monitoring.observer.sweep()
    samples = await told(gateway)
    assert samples("ocpp_chargers", state="online", ocpp="1.6") == samples("ocpp_chargers", state="online", ocpp="2.0.1") == 1
    assert samples("ocpp_chargers", state="faulted", ocpp="1.6") == 1


async def test_commands_are_counted_by_outcome_and_timed_until_the_answer():
    gateway = InMemoryGateway()
    gateway.dispatcher.start()
    charger = gateway.connect()
    gateway.push_command(cp_id="cp1", command="reset", data={"type": "Soft"}, id="a")
    gateway.clock.advance(2)
    charger.answer({"status": "Accepted"})
    gateway.push_command(cp_id="nobody", command="reset", data={"type": "Soft"}, id="b")
    gateway.push_command(cp_id="cp1", command="no_such_thing", id="c")
    samples = await told(gateway)
    assert samples("ocpp_commands_total", outcome="result") == 1
    assert samples("ocpp_commands_total", outcome="offline") == 1
    assert samples("ocpp_commands_total", outcome="invalid") == 1
    assert samples("ocpp_commands_total", outcome="timeout") == 0
    assert samples("ocpp_command_seconds_count") == 1 and samples("ocpp_command_seconds_sum") == 2
    assert samples("ocpp_command_seconds_bucket", le="1.0") == 0 and samples("ocpp_command_seconds_bucket", le="2.5") == 1
    gateway.dispatcher.stop()


async def test_refused_handshakes_are_counted_also_those_of_a_flood():
    gateway = InMemoryGateway()
    for _ in range(500):
        gateway.gateway.handshake_refused(HandshakeRequest("cp", "csms", "10.0.0.1", ()), 401, "no")
    assert len(gateway.published_names()) < 500
    assert (await told(gateway))("ocpp_handshakes_refused_total", status="401") == 500


async def test_questions_to_the_backend_are_timed_and_those_without_an_answer_counted():
    backend = StaticBackend()
    gateway = InMemoryGateway(Settings(name="gw", base_url="http://backend"), backend=backend)
    charger = gateway.connect()
    start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2026-09-21T14:00:00Z"}
    charger.send_call("StartTransaction", start)
    samples = await told(gateway)
    assert samples("ocpp_backend_request_seconds_count", question="transaction") == 1
    assert samples("ocpp_backend_failures_total", question="transaction", reason="failed") == 0
    assert samples("ocpp_backend_up") == 1
    backend.fail("no")
    for number in range(8):
        charger.send_call("StartTransaction", start | {"timestamp": f"2026-09-21T15:00:0{number}Z"})
    samples = await told(gateway)
    assert samples("ocpp_backend_failures_total", question="transaction", reason="failed") == 5
    assert samples("ocpp_backend_failures_total", question="transaction", reason="not_asked") == 3
    assert samples("ocpp_backend_up") == 0


async def test_redis_that_takes_nothing_is_told_with_what_waits():
    gateway = InMemoryGateway()
    samples = await told(gateway)
    assert (samples("ocpp_redis_up"), samples("ocpp_waiting_entries")) == (1, 0)
    gateway.events.paused = True
    charger = gateway.connect()
    charger.send_call("BootNotification", BOOT)
    samples = await told(gateway)
    assert samples("ocpp_redis_up") == 0 and (samples("ocpp_waiting_entries") or 0) >= 2 and (samples("ocpp_waiting_bytes") or 0) > 100


async def test_groups_are_counted_by_their_size():
    gateway = InMemoryGateway()
    gateway.events.paused = True
    charger = gateway.connect()
    charger.send_call("Heartbeat")
    waiting = gateway.events.waiting
    gateway.events.resume()
    samples = await told(gateway)
    assert samples("ocpp_redis_group_entries_sum") == waiting and samples("ocpp_redis_group_entries_count") == 1


async def test_the_time_to_an_answer_includes_the_wait_for_its_event_to_be_durable():
    gateway = InMemoryGateway()
    charger = gateway.connect()
    gateway.events.paused = True
    charger.send_call("Heartbeat")
    gateway.clock.advance(3)
    gateway.events.resume()
    samples = await told(gateway)
    assert samples("ocpp_answer_seconds_count") == 1 and samples("ocpp_answer_seconds_sum") == 3


async def test_the_next_message_is_timed_when_the_charger_of_the_one_before_has_gone_without_its_answer():
    gateway = InMemoryGateway()
    gone, other = gateway.connect("cp1"), gateway.connect("cp2")
    gateway.events.paused = True
    gone.send_call("Heartbeat")
    gone.disconnect()
    other.send_call("Heartbeat")
    gateway.clock.advance(1)
    gateway.events.resume()
    assert gateway.application.incoming.answers.took.sum == 1


def test_only_the_answer_to_the_message_that_is_timed_ends_its_time():
    now = 0.0
    times = AnswerTimes(lambda: now)
    charger = object()
    times.begin(charger, "a")
    now = 1.0
    times.answered("b")
    assert times.charger is charger
    now = 2.0
    times.answered("a")
    assert times.charger is None and times.took.sum == 2.0


@pytest.mark.parametrize(("value", "place"), [(-5, 0), (0, 0), (1, 0), (1.5, 1), (2, 1), (2.1, 2), (1e9, 2)])
def test_a_value_counts_in_the_range_whose_bound_it_does_not_exceed(value: float, place: int):
    histogram = Histogram((1.0, 2.0))
    histogram.add(value)
    assert histogram.counts[place] == 1 and sum(histogram.counts) == 1 and histogram.sum == max(0, value)


class SpoolAndTls:
    """What only a gateway with a spool and certificates has."""

    @staticmethod
    def of(gateway: InMemoryGateway) -> Any:
        gateway.spooled = lambda: {"groups": 1, "events": 2, "trouble": "the disk is full"}  # type: ignore[method-assign]
        gateway.spool_bytes = lambda: 4096  # type: ignore[method-assign]
        gateway.application.metrics.expiries = lambda: {"chargers": 1_800_000_000.0}


async def test_what_is_told_is_what_the_table_has_with_its_labels_and_nothing_else():
    backend = StaticBackend()
    gateway = InMemoryGateway(Settings(name="gw", base_url="http://backend"), backend=backend)
    SpoolAndTls.of(gateway)
    charger = gateway.connect()
    charger.call("BootNotification", BOOT)
    charger.send_call("StartTransaction", {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2026-09-21T14:00:00Z"})
    samples = await told(gateway)
    kinds = {(family.name + "_total" if family.type == "counter" else family.name): family for family in samples.families.values()}
    told_of_process = {name for name in kinds if name.startswith("process_")}
    assert told_of_process <= {each.name for each in METRICS}
    assert set(kinds) == {each.name for each in METRICS if not each.name.startswith("process_")} | told_of_process
    for metric in METRICS:
        if metric.name in kinds:
            family = kinds[metric.name]
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            assert (family.type, labels) == (metric.kind, set(metric.labels)), metric.name
    assert samples("ocpp_spool_events") == 2 and samples("ocpp_spool_bytes") == 4096 and samples("ocpp_spool_up") == 0
    assert samples("ocpp_certificate_expiry_timestamp_seconds", clients="chargers") == 1_800_000_000


async def test_neither_chargers_nor_what_they_make_up_are_labels():
    gateway = InMemoryGateway()
    before = len((await told(gateway)).values)
    for number in range(50):
        charger = gateway.connect(f"made-up-{number}")
        charger.call("BootNotification", {"chargePointVendor": f"vendor-{number}", "chargePointModel": f"model-{number}"})
        charger.send_call(f"Action{number}")
        charger.send_text("nonsense")
    text = (await gateway.application.metrics.text()).decode()
    assert not any(word in text for word in ("made-up", "vendor-", "model-", "Action1"))
    assert len(Samples(text).values) - before < 10
