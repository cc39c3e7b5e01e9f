"""A fleet of simulated chargers on real WebSockets."""

from __future__ import annotations

import pytest
from twisted.internet import reactor

from certificates import Made
from ocpp_tw.simulator.fleet import Fleet, Plan
from ocpp_tw.simulator.own_certificates import load_own
from simulator.station import Station, until

OWN = load_own(Made("c1").pem.decode())


async def test_a_fleet_charges_and_counts(station: Station) -> None:
    fleet = Fleet(reactor, Plan(station.url, tuple(f"c{n}" for n in range(20)), speed_up=6000, rate=1000, seed=1, connectors=2))
    await fleet.start()
    tally = fleet.tally
    assert (tally.connections, tally.started, tally.stopped, tally.errors, tally.lost) == (20, 20, 20, 0, 0), tally
    assert station.actions().count("StopTransaction") == 20 and tally.energy > 20 * 5_000
    assert tally.summary(fleet.seconds)["latency_ms"]["StartTransaction"]["count"] == 20


async def test_a_fleet_that_waits_stops_its_transactions_at_the_end(station: Station) -> None:
    fleet = Fleet(reactor, Plan(station.url, ("c1",), wait=True, duration=0.3, seed=1))
    over = fleet.start()
    await until(lambda: "Heartbeat" in station.actions() or fleet.chargers[0].accepted)
    station.peers[0].sendMessage(b'[2,"1","RemoteStartTransaction",{"idTag":"TAG"}]')
    await over
    assert station.actions()[-3:].count("StopTransaction") == 1 and fleet.tally.errors == 0


@pytest.mark.parametrize(
    ("plan", "profile", "password"),
    [
        (Plan(), 0, None),
        (Plan(password="00" * 16), 1, bytes(16)),  # as in AuthorizationKey
        (Plan(password="00" * 16, ocpp="2.0.1"), 1, b"00" * 16),
        (Plan(password="secret", security_profile=0), 0, b"secret"),
        (Plan("wss://x/", insecure=True), 0, None),
        (Plan("wss://x/", password="secret"), 2, b"secret"),
        (Plan("wss://x/", password="secret", own={"c1": OWN}), 3, b"secret"),
    ],
)
def test_the_security_profile_is_what_url_and_credentials_are_for(plan: Plan, profile: int, password: bytes | None) -> None:
    provision = plan.provision("c1")
    assert (provision.profile, provision.password, provision.own) == (profile, password, OWN if plan.own else None)


async def test_a_fleet_gives_up_at_once_when_no_server_listens(station: Station) -> None:
    await station.stop()
    fleet = Fleet(reactor, Plan(station.url, ("c1", "c2")))
    await fleet.start()
    assert fleet.failed is not None and "refused" in fleet.failed and not fleet.tally.connections
