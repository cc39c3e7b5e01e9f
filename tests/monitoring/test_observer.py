"""The state that is kept of connected chargers: connectors, running transactions, power, energy, state of charge."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from charging import TIME, begin, end, event, meter, status
from ocpp_tw.monitoring import listing
from ocpp_tw.monitoring.curve import MAX_SAMPLES
from ocpp_tw.monitoring.monitoring import Monitoring
from ocpp_tw.monitoring.rows import iso
from ocpp_tw.monitoring.state import MAX_CONNECTORS, MAX_RUNNING, WHOLE_CURVES, ChargerState
from ocpp_tw.monitoring.transactions import RunningTransactions
from ocpp_tw.testing import ChargerClient, InMemoryGateway


@pytest.fixture
def gateway() -> InMemoryGateway:
    return InMemoryGateway()


@pytest.fixture
def monitoring(gateway: InMemoryGateway) -> Monitoring:
    return gateway.application.monitoring


def swept(gateway: InMemoryGateway, charger: ChargerClient, seconds: float = 60) -> Any:
    """The state of a charger after some time, with a look at it now."""
    gateway.application.monitoring.observer.sweep()
    gateway.clock.advance(seconds)
    return charger.charger.state


def test_the_status_of_each_connector_is_kept_with_since_when_it_is_so(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    status(charger, 2, "Available")
    status(charger, 1, "Faulted", "GroundFailure", info="wet")
    swept(gateway, charger)
    status(charger, 2, "Available")
    state = swept(gateway, charger)
    assert [(each.evse, each.connector, each.status, each.error_code, each.info) for each in state.connectors] == [
        (None, 1, "Faulted", "GroundFailure", "wet"), (None, 2, "Available", "NoError", None),
    ]  # fmt: skip
    assert state.connectors[0].since == state.connectors[1].since == 1_790_000_000
    assert state.faulted and not state.charging
    status(charger, 1, "Available")
    state = swept(gateway, charger)
    assert not state.faulted and state.connectors[0].since == 1_790_000_120


def test_in_2_x_connectors_are_those_of_an_evse(gateway: InMemoryGateway) -> None:
    charger = gateway.connect(ocpp="2.0.1")
    for evse, connector in ((1, 2), (1, 1), (2, 1)):
        payload = {"timestamp": TIME, "connectorStatus": "Occupied", "evseId": evse, "connectorId": connector}
        charger.call("StatusNotification", payload)
    state = swept(gateway, charger)
    assert [(each.evse, each.connector) for each in state.connectors] == [(1, 1), (1, 2), (2, 1)]


def test_a_charger_charges_from_start_to_stop(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    id = begin(charger)
    assert swept(gateway, charger).charging
    meter(charger, id, energy=2000, power=11000, soc=40)
    state = swept(gateway, charger)
    (running,) = state.running
    assert (running.id, running.conn, running.power_w, running.energy_wh, running.soc) == (id, 1, 11000, 1000, 40)
    assert state.power(1_790_000_100) == 11000 and state.energy() == 1000
    end(charger, id, 3000)
    state = swept(gateway, charger)
    assert not state.running and not state.charging and state.power(1_790_000_200) == 0


def test_a_car_that_has_suspended_does_not_charge(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    begin(charger)
    status(charger, 1, "SuspendedEV")
    assert not swept(gateway, charger).charging
    status(charger, 1, "Charging")
    assert swept(gateway, charger).charging


def test_a_transaction_of_2_x_charges_when_it_says_so(gateway: InMemoryGateway) -> None:
    charger = gateway.connect(ocpp="2.0.1")
    event(charger, "Started", 0, "EVConnected")
    assert not swept(gateway, charger).charging
    event(charger, "Updated", 1, "Charging", energy=500)
    event(charger, "Updated", 2, energy=800)
    state = swept(gateway, charger)
    assert state.charging and state.running[0].power_w == 7000 and state.running[0].register_wh == 800
    event(charger, "Ended", 3)
    state = swept(gateway, charger)
    assert not state.charging and not state.running


def test_a_message_that_comes_after_the_end_begins_nothing(gateway: InMemoryGateway) -> None:
    charger = gateway.connect(ocpp="2.0.1")
    event(charger, "Started", 0, "Charging")
    event(charger, "Ended", 2)
    swept(gateway, charger)
    event(charger, "Updated", 1, "Charging", energy=500)
    assert not swept(gateway, charger).running


def test_power_is_derived_from_energy_where_none_is_told(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    id = begin(charger)
    swept(gateway, charger)
    for energy in (1100, 1300):
        meter(charger, id, energy=energy)
        state = swept(gateway, charger)
    assert state.running[0].power_w == 200 * 60


def test_a_reading_of_power_counts_for_half_an_hour(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    meter(charger, begin(charger), power=5000)
    state = swept(gateway, charger)
    assert state.power(1_790_000_000 + 1700) == 5000
    assert state.power(1_790_000_000 + 1900) == 0


def test_a_transaction_that_began_before_the_gateway_did_is_known_by_its_readings(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    meter(charger, 77, energy=5000, power=100)
    meter_again = swept(gateway, charger)
    assert [(each.id, each.energy_wh) for each in meter_again.running] == [(77, 0)]


def test_readings_outside_of_a_transaction_begin_none(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    meter(charger, None, energy=5000, power=100)
    assert not swept(gateway, charger).running
    begin(charger)
    swept(gateway, charger)
    meter(charger, None, energy=5500, power=100)  # but while one runs on the connector they are its own
    assert swept(gateway, charger).running[0].power_w == 100


def test_energy_of_today_adds_up_and_begins_anew_at_midnight(gateway: InMemoryGateway, monitoring: Monitoring) -> None:
    charger = gateway.connect()
    id = begin(charger)
    for energy in (1500, 2600):
        swept(gateway, charger)
        meter(charger, id, energy=energy)
    swept(gateway, charger)
    assert monitoring.today.wh == 1600
    end(charger, id, 3000)
    swept(gateway, charger)
    assert monitoring.today.wh == 2000
    gateway.clock.advance(86_400)
    assert monitoring.today.wh == 0


def test_a_meter_that_was_exchanged_counts_nothing(gateway: InMemoryGateway, monitoring: Monitoring) -> None:
    charger = gateway.connect()
    id = begin(charger)
    for energy in (1500, 20, 9_000_000):
        swept(gateway, charger)
        meter(charger, id, energy=energy)
    swept(gateway, charger)
    assert monitoring.today.wh == 500


def test_a_transaction_between_two_sweeps_counts(gateway: InMemoryGateway, monitoring: Monitoring) -> None:
    charger = gateway.connect()
    end(charger, begin(charger), 1700)
    assert not swept(gateway, charger).running
    assert monitoring.today.wh == 700


def test_a_stop_that_is_repeated_counts_once(gateway: InMemoryGateway, monitoring: Monitoring) -> None:
    charger = gateway.connect()
    id = begin(charger)
    for stop in (1700, 1700, 1800):
        end(charger, id, stop)
        swept(gateway, charger)
    assert monitoring.today.wh == 700


def test_the_state_survives_a_reconnect_but_not_a_long_absence(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    status(charger, 1, "Faulted")
    swept(gateway, charger)
    charger.disconnect()
    gateway.clock.advance(300)
    charger = gateway.connect()
    assert charger.charger.state.faulted
    charger.disconnect()
    gateway.clock.advance(700)
    assert gateway.connect().charger.state is None


def test_a_connection_that_takes_over_has_what_the_one_before_has_told(gateway: InMemoryGateway) -> None:
    first = gateway.connect()
    status(first, 1, "Faulted")
    status(first, 2, "Available")
    swept(gateway, first)
    second = gateway.connect()
    second.send_call("StatusNotification", {"connectorId": 1, "status": "Available", "errorCode": "NoError"})
    gateway.clock.advance(1)
    swept(gateway, second)
    first.disconnect(4000)
    state = second.charger.state
    assert {(each.connector, each.status) for each in state.connectors} == {(1, "Available"), (2, "Available")}
    assert not state.faulted


def test_what_a_charger_makes_up_is_bounded(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    for number in range(MAX_CONNECTORS + 20):
        status(charger, number, "Available", info="x" * 50)
        meter(charger, number + 1, conn=number, power=1)
        swept(gateway, charger, 1)
    state = swept(gateway, charger)
    assert len(state.connectors) == MAX_CONNECTORS and len(state.running) == MAX_RUNNING


def test_what_waits_for_the_sweep_is_bounded(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    for number in range(100):
        meter(charger, number + 1, conn=number, power=1)
        status(charger, number, "Available")
        assert charger.charger.noted is None or len(charger.charger.noted) <= 33
    assert len(swept(gateway, charger).running) == 100


@pytest.mark.parametrize("size", [40, 250])
def test_a_large_site_that_is_connected_as_one_charger_is_known_as_a_whole(
    gateway: InMemoryGateway, monitoring: Monitoring, size: int
) -> None:
    charger = gateway.connect()
    ids = []
    for conn in range(1, size + 1):
        status(charger, conn, "Charging")
        ids.append(begin(charger, conn, meter=0))
    for conn, id in enumerate(ids, 1):
        meter(charger, id, conn, energy=100, power=1000)
    state = swept(gateway, charger, 1)
    row = monitoring.rows.row(charger.charger)
    assert (row["transactions"], row["power_w"], row["energy_wh"], len(row["connectors"])) == (size, size * 1000, size * 100, size)
    courses = RunningTransactions("gw", gateway.application.gateway, gateway.clock, lambda: 1_790_000_000).of(charger.charger)
    assert len(courses) == len(charger.charger.ledger.running) == size and not any(each["open"] for each in courses)
    end(charger, ids[0], 100)
    assert len(swept(gateway, charger).running) == size - 1
    assert gateway.published()[-1]["data"]["match"] == "exact"
    status(charger, size, "Faulted")
    assert swept(gateway, charger).faulted and state.faulted


def test_a_connector_that_is_faulted_is_known_beyond_the_limit(gateway: InMemoryGateway) -> None:
    """It takes the place of the last of those that matter least."""
    charger = gateway.connect()
    for conn in range(MAX_CONNECTORS):
        status(charger, conn, "Charging" if conn == MAX_CONNECTORS - 1 else "Available")
    for conn, name in ((400, "Available"), (401, "Charging"), (402, "Faulted"), (403, "Unavailable")):
        status(charger, conn, name)
    state = swept(gateway, charger)
    known = [each.connector for each in state.connectors]
    assert known == [*range(MAX_CONNECTORS - 3), MAX_CONNECTORS - 1, 401, 402] and state.faulted
    status(charger, 402, "Available")
    assert not swept(gateway, charger).faulted
    for conn in range(500, 500 + MAX_CONNECTORS + 1):
        status(charger, conn, "Faulted")
    state = swept(gateway, charger)
    assert len(state.connectors) == MAX_CONNECTORS and {each.status for each in state.connectors} == {"Faulted"}


def test_a_faulted_connector_of_an_earlier_connection_is_known_beyond_the_limit() -> None:
    older, newer = ChargerState(), ChargerState()
    older.connector_is(None, 999, "Faulted", None, None, 1)
    for conn in range(MAX_CONNECTORS):
        newer.connector_is(None, conn, "Available", None, None, 2)
    state = newer.joined(older)
    assert state.faulted and [each.connector for each in state.connectors] == [*range(MAX_CONNECTORS - 1), 999]


def test_the_curves_of_many_transactions_have_a_bounded_number_of_samples_together() -> None:
    state = ChargerState()
    total = WHOLE_CURVES * MAX_SAMPLES
    for number in range(MAX_RUNNING):
        state.begin(number, number + 1, 0.0)
        for minute in range(number + 1, number + 251 if number < WHOLE_CURVES else number + 2):
            for each in state.running[-1:] if number < WHOLE_CURVES else state.running:
                each.curve.add(minute * 60.0, 1.0, None, None)
        assert sum(len(each.curve.samples()) for each in state.running) <= total
    assert min(len(each.curve.samples()) for each in state.running[:100]) >= 10


def test_a_page_full_of_large_sites_has_those_of_their_connectors_that_matter_most(
    gateway: InMemoryGateway, monitoring: Monitoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has to fit into a message between gateways; the page of one charger has all."""
    monkeypatch.setattr(listing, "MAX_CONNECTORS_TOLD", 500)
    large = [gateway.connect(f"cp{number}") for number in range(3)]
    small = gateway.connect("small")
    for charger in large:
        for conn in range(1, 201):
            status(charger, conn, "Faulted" if conn == 200 else "Charging" if conn > 170 else "Available")
    status(small, 1, "Available")
    swept(gateway, small)
    pages = listing.Listing("gw", gateway.application.gateway, monitoring.rows, gateway.clock)

    def told(*ids: str) -> dict[str, Any]:
        asked = Deferred.fromCoroutine(pages.rows(list(ids)))
        while not asked.called:
            gateway.clock.advance(0.001)
        return {row["id"]: row for row in asked.result}

    rows = told("cp0", "cp1", "cp2", "small")
    known = [each["connector"] for each in rows["cp1"]["connectors"]]
    assert known == [*range(1, 99), *range(171, 201)] and len(rows["small"]["connectors"]) == 1
    assert rows["cp1"]["state"] == "faulted" and len(monitoring.rows.row(large[1].charger)["connectors"]) == 200
    assert len(told("cp1", "small")["cp1"]["connectors"]) == 200


async def test_the_sweep_goes_on_by_itself(gateway: InMemoryGateway) -> None:
    gateway.application.start()
    charger = gateway.connect()
    status(charger, 1, "Faulted")
    assert charger.charger.state is None
    gateway.clock.advance(3)
    assert charger.charger.state.faulted
    gateway.application.stop()


def test_what_follows_a_stop_at_once_is_counted_once(gateway: InMemoryGateway, monitoring: Monitoring) -> None:
    charger = gateway.connect()
    first = begin(charger, meter=0)
    meter(charger, first, energy=9000)
    swept(gateway, charger)
    meter(charger, first, energy=9500)
    end(charger, first, 10_000)
    meter(charger, begin(charger, meter=10_000), energy=10_100)
    swept(gateway, charger)
    assert monitoring.today.wh == 10_100


def test_readings_without_a_transaction_are_of_the_one_that_runs_when_they_come(gateway: InMemoryGateway, monitoring: Monitoring) -> None:
    charger = gateway.connect()
    first = begin(charger, meter=0)
    meter(charger, None, energy=9000)
    swept(gateway, charger)
    meter(charger, None, energy=9500)
    end(charger, first, 10_000)
    begin(charger, meter=10_000)
    meter(charger, None, energy=10_100)
    swept(gateway, charger)
    meter(charger, None, energy=10_200)
    swept(gateway, charger)
    assert monitoring.today.wh == 10_200


@pytest.mark.parametrize("idle", ["Available", "Preparing", "Reserved"])
def test_a_status_from_before_a_transaction_does_not_suspend_it(gateway: InMemoryGateway, idle: str) -> None:
    charger = gateway.connect()
    status(charger, 1, idle)
    swept(gateway, charger)
    begin(charger)
    assert swept(gateway, charger).charging
    status(charger, 1, idle)  # it is told again, and nothing new
    assert swept(gateway, charger).charging
    status(charger, 1, "Charging")
    swept(gateway, charger)
    status(charger, 1, idle)
    assert not swept(gateway, charger).charging


def test_a_transaction_whose_stop_is_missing_is_told_as_open(gateway: InMemoryGateway, monitoring: Monitoring) -> None:
    charger = gateway.connect()
    older = begin(charger)
    other = begin(charger, conn=2)
    swept(gateway, charger)
    newer = begin(charger, meter=2000)
    swept(gateway, charger)
    rows = RunningTransactions("gw", gateway.application.gateway, gateway.clock, lambda: 1_790_000_000).of(charger.charger)
    assert [(row["id"], row["open"]) for row in rows] == [(newer, False), (other, False), (older, True)]


def test_the_last_message_is_told_to_the_second_where_frames_are_kept(gateway: InMemoryGateway, monitoring: Monitoring) -> None:
    charger = gateway.connect()
    gateway.clock.advance(37)
    charger.call("Heartbeat", {})
    gateway.clock.advance(5)
    assert monitoring.rows.row(charger.charger)["last_message"] == iso(1_790_000_037)


def test_measurands_that_come_in_messages_of_their_own_are_all_read(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    id = begin(charger, meter=1000)
    for energy in (1000, 1500, 2000):
        meter(charger, id, energy=energy, power=7000)
        meter(charger, id, soc=55)
        meter(charger, id)
        state = swept(gateway, charger)
    (running,) = state.running
    assert (running.power_w, running.energy_wh, running.soc) == (7000, 1000, 55)
    newer = gateway.connect("newer", ocpp="2.0.1")
    event(newer, "Started", 0, "Charging", energy=100)
    event(newer, "Updated", 1, "Charging", energy=600)
    soc = [{"timestamp": TIME, "sampledValue": [{"value": 40, "measurand": "SoC"}]}]
    event(newer, "Updated", 2, "Charging", meterValue=soc)
    (running,) = swept(gateway, newer).running
    assert (running.power_w, running.register_wh, running.soc) == (7000, 600, 40)


def test_the_latest_of_a_measurand_counts_also_where_others_come_by_themselves(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    id = begin(charger, meter=1000)
    meter(charger, id, energy=1500, power=7000)
    meter(charger, id, soc=55)
    meter(charger, id, power=3000)
    (running,) = swept(gateway, charger).running
    assert (running.power_w, running.energy_wh, running.soc) == (3000, 500, 55)


def test_readings_without_a_transaction_from_before_one_are_not_of_it(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    meter(charger, None, power=7000)
    begin(charger, meter=1000)
    meter(charger, None, soc=55)
    (running,) = swept(gateway, charger).running
    assert (running.power_w, running.soc) == (None, 55)


def test_a_secret_in_what_a_connector_tells_is_not_kept(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    status(charger, 1, "Available", info="password=hunter2hunter2")
    (connector,) = swept(gateway, charger).connectors
    assert connector.info == "password=***"
