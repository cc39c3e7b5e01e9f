"""Simulated chargers on real WebSockets: connecting, breaking, connecting again."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from ocpp_tw.simulator.charger import SimulatedCharger
from ocpp_tw.simulator.security import Provision
from ocpp_tw.simulator.simulated_clock import SimulatedClock
from ocpp_tw.simulator.v16.dialect import V16
from ocpp_tw.simulator.websocket_client import ConnectFailed, WebSocketClient
from simulator.station import Station, own_certificate, until


def client_of(station: Station, on_failure: Any = lambda *_: True, **provision: Any) -> WebSocketClient:
    given = Provision(station.url, **provision)
    charger = SimulatedCharger("CP 1", SimulatedClock(reactor, 60.0), V16, timeout=5.0, provision=given)
    return WebSocketClient(reactor, charger, on_failure=on_failure, backoff=0.02)


async def test_a_connection_is_opened_and_closed(station: Station) -> None:
    client = client_of(station, profile=1, password=b"secret")
    client.start()
    await client.charger.when_ready()
    await client.stop()
    (path, protocols, headers) = station.handshakes[0]
    assert (path, protocols) == ("/CP%201", ["ocpp1.6"]) and headers["authorization"] == "Basic Q1AgMTpzZWNyZXQ="
    await until(lambda: station.closed)
    assert station.closed == [1000]


async def test_a_broken_connection_is_opened_again_and_no_transaction_message_is_lost(station: Station) -> None:
    client = client_of(station)
    charger = client.charger
    client.start()
    await charger.when_ready()
    await charger.authorize_and_start("TAG")
    await until(lambda: "StartTransaction" in station.actions())
    client.cut()
    await until(lambda: not charger.online)
    charger.connectors[0].stop()
    await until(lambda: "StopTransaction" in station.actions())
    await client.stop()
    assert charger.tally.lost == 1 and charger.tally.connections == 2 and station.actions().count("BootNotification") == 1


async def test_a_reset_closes_the_connection_and_boots_again(station: Station) -> None:
    client = client_of(station)
    client.start()
    await client.charger.when_ready()
    station.peers[0].sendMessage(b'[2,"1","Reset",{"type":"Hard"}]')
    await until(lambda: station.actions().count("BootNotification") == 2)
    await client.charger.when_ready()
    await client.stop()
    assert client.charger.tally.lost == 0 and station.closed[0] == 1000


@pytest.mark.parametrize(("refuse", "no_subprotocol", "words"), [(401, False, "HTTP 401"), (0, True, "does not speak ocpp1.6")])
async def test_the_reason_of_a_failed_attempt_is_reported(station: Station, refuse: int, no_subprotocol: bool, words: str) -> None:
    station.refuse, station.no_subprotocol = refuse, no_subprotocol
    why: Deferred[ConnectFailed] = Deferred()
    client = client_of(station, on_failure=lambda _, no: bool(why.callback(no)))
    client.start()
    assert words in str(await why)
    await client.stop()


async def test_an_untrusted_certificate_is_accepted_only_with_insecure() -> None:
    station = Station(own_certificate().options())
    why: Deferred[ConnectFailed] = Deferred()
    strict = client_of(station, on_failure=lambda _, no: bool(why.callback(no)))
    strict.start()
    assert "certificate verify failed" in str(await why)
    await strict.stop()
    lax = client_of(station, insecure=True)
    lax.start()
    await lax.charger.when_ready()
    await lax.stop()
    await station.stop()


async def test_an_attempt_is_repeated_while_no_server_listens(station: Station) -> None:
    await station.stop()
    said: list[str] = []
    client = client_of(station, on_failure=lambda _, no: said.append(str(no)) or len(said) < 3)
    client.start()
    await until(lambda: len(said) == 3)  # tried again, twice
    await client.stop()
    assert "refused" in said[0]


async def test_a_client_may_be_stopped_during_the_handshake(station: Station) -> None:
    client = client_of(station)
    client.start()
    await client.stop()
    await until(lambda: not client.charger.online)
