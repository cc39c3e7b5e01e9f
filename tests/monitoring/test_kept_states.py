"""The state of chargers survives their gateway: the next one that has them knows their connectors and running transactions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from charging import begin, end, event, meter, status
from ocpp_tw.core.entries import FLEET, STATES
from ocpp_tw.monitoring.kept_states import MAX_WAITING
from ocpp_tw.monitoring.state import ChargerState
from ocpp_tw.monitoring.stored_state import MAX_BYTES, decoded, encoded
from ocpp_tw.testing import ChargerClient, InMemoryGateway
from shared_store import SharedStore


class Fleet(SharedStore):
    """With what is kept."""

    def dies(self, gateway: InMemoryGateway) -> None:
        self.ends(gateway, killed=True)

    @property
    def kept(self) -> dict[str, bytes]:
        return self.store.tables[FLEET, STATES]


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    made = Fleet()
    yield made
    made.close()


def connectors(charger: ChargerClient) -> list[tuple[Any, ...]]:
    return [(each.connector, each.status, each.since) for each in charger.charger.state.connectors]


@pytest.mark.parametrize("next_gateway", ["gw", "other"])
def test_a_charger_that_comes_to_another_run_or_gateway_is_known(fleet: Fleet, next_gateway: str) -> None:
    first = fleet.gateway()
    charger = first.connect()
    status(charger, 2, "Available")
    status(charger, 1, "Faulted", "GroundFailure", info="wet")
    fleet.time(9)
    fleet.dies(first)
    fleet.time(1000)
    charger = fleet.gateway(next_gateway).connect()
    fleet.time(4)
    since = connectors(charger)[0][2]
    assert connectors(charger) == [(1, "Faulted", since), (2, "Available", since)] and since < 1_790_000_010
    assert charger.charger.state.connectors[0].info == "wet"
    assert charger.charger.state.faulted
    status(charger, 1, "Available")
    fleet.time(4)
    assert not charger.charger.state.faulted


def test_one_that_comes_is_known_within_a_second_and_many_cost_few_questions(fleet: Fleet) -> None:
    first = fleet.gateway("first")
    names = [f"cp{number}" for number in range(1200)]
    for name in names:
        status(first.connect(name), 1, "Faulted")
    fleet.time(9)
    fleet.dies(first)
    second = fleet.gateway("second")
    asked: list[int] = []
    read = second.states.read

    def counted(chargers: Sequence[str]) -> Any:
        asked.append(len(chargers))
        return read(chargers)

    second.states.read = counted  # passes on, and counts
    fleet.clock.advance(0.01)  # while nothing else is due
    chargers = [second.connect(name) for name in names]
    fleet.clock.pump([0.05] * 20)
    assert all(each.charger.state is not None and each.charger.state.faulted for each in chargers)
    assert sum(asked) == len(names) and len(asked) <= 4


def test_what_it_told_last_elsewhere_is_known_though_it_moves_at_once(fleet: Fleet) -> None:
    here, there = fleet.gateway("here"), fleet.gateway("there")
    charger = here.connect()
    status(charger, 1, "Available")
    fleet.time(9)
    for offset, told in ((0.3, "Faulted"), (1.1, "Charging"), (1.9, "Reserved")):  # wherever the gateways are between two looks
        fleet.clock.advance(offset)
        status(charger, 1, told)
        charger.disconnect()
        here, there = there, here
        charger = here.connect()
        fleet.clock.pump([0.05] * 20)
        assert [each[:2] for each in connectors(charger)] == [(1, told)]


def test_a_running_transaction_goes_on_with_its_energy(fleet: Fleet) -> None:
    first = fleet.gateway()
    charger = first.connect()
    id = begin(charger, meter=1000)
    meter(charger, id, energy=5000, power=7000, soc=40)
    fleet.time(70)
    fleet.dies(first)
    again = fleet.gateway()
    charger = again.connect()
    fleet.time(4)
    state = charger.charger.state
    (running,) = state.running
    assert state.charging and (running.id, running.conn, running.energy_wh, running.power_w, running.soc) == (id, 1, 4000, 7000, 40)
    meter(charger, id, energy=6000)
    fleet.time(4)
    assert running.energy_wh == 5000
    assert again.application.monitoring.today.wh == 5000


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
def test_a_transaction_that_has_ended_meanwhile_does_not_come_back(fleet: Fleet, ocpp: str) -> None:
    """The gateway has died between the end and the next time that it would have written the state."""
    first = fleet.gateway()
    charger = first.connect(ocpp=ocpp)
    if ocpp == "1.6":
        id = begin(charger)
    else:
        event(charger, "Started", 0, "Charging")
    fleet.time(9)
    if ocpp == "1.6":
        end(charger, id, 2000)
    else:
        event(charger, "Ended", 1)
    fleet.dies(first)
    assert b"Charging" in fleet.kept["cp1"] or str(id).encode() in fleet.kept["cp1"]
    charger = fleet.gateway("other").connect(ocpp=ocpp)
    fleet.time(4)
    assert not charger.charger.state.running and not charger.charger.state.charging


def test_what_the_charger_tells_before_the_store_does_counts(fleet: Fleet) -> None:
    first = fleet.gateway()
    charger = first.connect()
    status(charger, 1, "Faulted")
    status(charger, 2, "Faulted")
    id = begin(charger, 3)
    fleet.time(9)
    fleet.dies(first)
    charger = fleet.gateway().connect()
    status(charger, 1, "Available")
    end(charger, id, 2000)
    fleet.time(4)
    assert [each[:2] for each in connectors(charger)] == [(1, "Available"), (2, "Faulted")]
    assert not charger.charger.state.running
    fleet.time(70)
    assert [(each.connector, each.status) for each in decoded(fleet.kept["cp1"])[1].connectors] == [(1, "Available"), (2, "Faulted")]


def test_one_that_comes_back_after_it_was_elsewhere_is_as_it_was_there(fleet: Fleet) -> None:
    here, there = fleet.gateway("here"), fleet.gateway("there")
    charger = here.connect()
    status(charger, 1, "Faulted")
    id = begin(charger, 2)
    fleet.time(9)
    charger.disconnect()
    fleet.time(9)
    charger = there.connect()
    status(charger, 1, "Available")
    end(charger, id, 2000)
    fleet.time(9)
    charger.disconnect()
    fleet.time(9)
    charger = here.connect()
    fleet.time(4)
    assert [each[:2] for each in connectors(charger)] == [(1, "Available")]
    assert not charger.charger.state.running


def test_a_short_visit_does_not_replace_what_is_known(fleet: Fleet) -> None:
    first = fleet.gateway()
    charger = first.connect()
    status(charger, 1, "Faulted")
    fleet.time(9)
    fleet.dies(first)
    second = fleet.gateway()
    charger = second.connect()
    status(charger, 2, "Available")
    charger.disconnect()
    fleet.time(9)
    charger = second.connect()
    fleet.time(4)
    assert [each[:2] for each in connectors(charger)] == [(1, "Faulted"), (2, "Available")]


def test_a_visit_that_ends_before_anything_is_read_is_kept_all_the_same(fleet: Fleet) -> None:
    """Beside what others have written of the charger before."""
    first = fleet.gateway()
    charger = first.connect()
    status(charger, 2, "Faulted")
    fleet.time(9)
    fleet.dies(first)
    again = fleet.gateway("other")
    charger = again.connect()
    status(charger, 1, "Charging")
    id = begin(charger, meter=1000)
    meter(charger, id, energy=1500)
    fleet.time(1)
    charger.disconnect()
    fleet.time(4)
    gateway, state = decoded(fleet.kept["cp1"]) or ("", None)
    assert gateway == "other" and [(each.connector, each.status) for each in state.connectors] == [(1, "Charging"), (2, "Faulted")]
    assert [each.id for each in state.running] == [id]


def test_one_that_comes_and_goes_all_the_time_is_known(fleet: Fleet) -> None:
    gateway = fleet.gateway()
    for _ in range(4):
        charger = gateway.connect()
        status(charger, 1, "Faulted")
        fleet.time(1)
        charger.disconnect()
        fleet.time(1)
    fleet.time(4)
    _, state = decoded(fleet.kept["cp1"]) or ("", None)
    assert [(each.connector, each.status) for each in state.connectors] == [(1, "Faulted")]


def test_one_that_was_here_only_while_the_store_was_away_is_kept_afterwards(fleet: Fleet) -> None:
    gateway = fleet.gateway()
    gateway.states.available = False
    charger = gateway.connect()
    status(charger, 1, "Faulted")
    fleet.time(20)
    charger.disconnect()
    fleet.time(20)
    gateway.states.available = True
    fleet.time(7)
    _, state = decoded(fleet.kept["cp1"]) or ("", None)
    assert [(each.connector, each.status) for each in state.connectors] == [(1, "Faulted")]


def test_the_meter_of_a_transaction_that_began_elsewhere_a_moment_ago_is_that_of_its_start(fleet: Fleet) -> None:
    """Though nothing was written of it: the ledger knows how it began."""
    other = fleet.gateway("other")
    charger = other.connect()
    id = begin(charger, meter=1000)
    meter(charger, id, energy=1500)
    fleet.dies(other)
    charger = fleet.gateway().connect()
    meter(charger, id, energy=2500)
    fleet.time(7)
    [transaction] = charger.charger.state.running
    assert (transaction.first_wh, transaction.register_wh) == (1000, 2500)
    assert charger.charger.ledger is not None


def test_readings_are_written_once_a_minute_and_repeats_not_at_all(fleet: Fleet) -> None:
    gateway = fleet.gateway()
    charger = gateway.connect()
    id = begin(charger)
    status(charger, 1, "Charging")
    fleet.time(9)
    written: list[bytes] = []
    for second in range(240):
        if second % 5 == 0:
            meter(charger, id, energy=1000 + second, power=7000)
        fleet.time(1)
        if not written or fleet.kept["cp1"] != written[-1]:
            written.append(fleet.kept["cp1"])
    assert 4 <= len(written) <= 6
    end(charger, id, 9000)
    fleet.time(70)
    known = fleet.kept["cp1"]
    fleet.kept.clear()
    for _ in range(70):
        status(charger, 1, "Charging")
        fleet.time(1)
    assert not fleet.kept and b"Charging" in known


def test_a_gateway_that_ends_in_an_orderly_way_writes_the_latest(fleet: Fleet) -> None:
    gateway = fleet.gateway()
    charger = gateway.connect()
    id = begin(charger)
    fleet.time(9)
    meter(charger, id, power=1234)
    fleet.time(4)
    assert b"1234" not in fleet.kept["cp1"]
    fleet.ends(gateway)
    assert b"1234" in fleet.kept["cp1"]


def test_while_the_store_is_away_nothing_breaks_and_afterwards_all_is_made_up_for(fleet: Fleet) -> None:
    first = fleet.gateway()
    status(first.connect(), 1, "Faulted")
    fleet.time(9)
    fleet.dies(first)
    second = fleet.gateway()
    second.states.available = False
    charger = second.connect()
    other = second.connect("cp2")
    status(other, 1, "Charging")
    fleet.time(100)
    assert charger.charger.state is None and "cp2" not in fleet.kept
    second.states.available = True
    fleet.time(9)
    assert charger.charger.state.faulted and b"Charging" in fleet.kept["cp2"]


def test_what_waits_for_the_store_is_bounded(fleet: Fleet) -> None:
    gateway = fleet.gateway()
    gateway.states.available = False
    kept = gateway.application.monitoring.kept
    for number in range(MAX_WAITING + 500):
        kept.changed(f"c{number}", ChargerState())
    fleet.time(4)
    gateway.states.available = True
    fleet.time(100)
    assert len(fleet.kept) == MAX_WAITING and "c499" not in fleet.kept and f"c{MAX_WAITING}" in fleet.kept


@pytest.mark.parametrize("kept", [b"", b"[]", b"{}", b'["gw",[[1,2]],[]]', b'["gw",[],[[null]]]', b"\xff"])
def test_what_cannot_be_read_is_as_if_there_were_nothing(fleet: Fleet, kept: bytes) -> None:
    fleet.kept["cp1"] = kept
    gateway = fleet.gateway()
    charger, other = gateway.connect(), gateway.connect("cp2")
    status(charger, 1, "Faulted")
    status(other, 1, "Faulted")
    fleet.time(9)
    assert charger.charger.state.faulted
    assert decoded(fleet.kept["cp1"]) and decoded(fleet.kept["cp2"])


def test_what_is_kept_of_a_charger_is_short() -> None:
    state = ChargerState()
    for number in range(64):
        state.connector_is(None, number, "Available", "NoError", "\x01" * 50, 1_790_000_000)
    text = encoded("gw", state)
    assert len(text) <= MAX_BYTES
    _, known = decoded(text) or ("", ChargerState())
    assert len(known.connectors) == 64
    for number in range(64):
        state.connector_is(None, number, "\x01" * 50, "NoError", None, 1_790_000_000)
    text = encoded("gw", state)
    _, known = decoded(text) or ("", ChargerState())
    assert len(text) <= MAX_BYTES and 10 < len(known.connectors) < 64


def large(faulted: int, charging: int, idle: int) -> ChargerState:
    """The state of a site, whose last connectors are faulted."""
    state = ChargerState()
    statuses = ["Available"] * idle + ["Charging"] * charging + ["Faulted"] * faulted
    for number, name in enumerate(statuses, 1):
        state.connector_is(None, number, name, "OtherError" if name == "Faulted" else "NoError", "remark", 1_790_000_000)
        if name == "Charging":
            running = state.begin(1_000_000_000 + number, number, 1_790_000_000)
            running.first_wh, running.register_wh, running.read_at, running.power_w = 1_000_000, 1_030_000, 1_790_000_000, 11_000.0
    return state


def test_of_a_large_site_the_most_important_is_kept() -> None:
    """Faulted connectors first, then what charges, then the others; each in the order in which it was."""
    for faulted, charging, idle in ((10, 100, 130), (60, 20, 170), (250, 0, 0), (0, 250, 0)):
        before = large(faulted, charging, idle)
        text = encoded("gw", before)
        assert MAX_BYTES - 200 < len(text) <= MAX_BYTES
        _, after = decoded(text) or ("", ChargerState())
        kept = [each.status for each in after.connectors]
        assert kept.count("Faulted") == min(faulted, len(kept))
        assert [each.connector for each in after.connectors] == sorted(each.connector or 0 for each in after.connectors)
        latest = [each.id for each in before.running][charging - len(after.running) :]
        assert [each.id for each in after.running] == latest
        assert bool(after.running) == bool(charging) == bool(kept.count("Charging"))
        assert "Available" not in kept or kept.count("Charging") == charging == len(after.running)
        after.judge()
        assert after.faulted == bool(faulted) and after.charging == bool(charging)


def test_a_site_of_thirty_connectors_is_kept_as_a_whole() -> None:
    _, known = decoded(encoded("gw", large(1, 29, 0))) or ("", ChargerState())
    assert len(known.connectors) == 30 and len(known.running) == 29
