"""How many connections and handshakes there may be, in all and from one address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from ocpp_tw.settings import Settings
from ocpp_tw.websocket.addresses import Limits, network
from websocket_peer import Server


def limited(**settings: int) -> Iterator[Server]:
    server = Server(**settings)
    yield server
    server.close()


def comes(server: Server, address: str) -> bool:
    """Whether one more connection from there is accepted."""
    return server.factory.buildProtocol(IPv4Address("TCP", address, 50123)) is not None


@pytest.mark.parametrize("setting", ["max_connections", "max_handshakes"])
def test_one_too_many_in_all_is_refused(setting: str) -> None:
    """Until one has ended."""
    for server in limited(**{setting: 20}):
        connections = [server.connect(address=f"198.51.100.{each}") for each in range(20)]
        assert not comes(server, "192.0.2.7")
        connections[0].disconnect()
        assert comes(server, "192.0.2.7")


@pytest.mark.parametrize("setting", ["max_connections_per_address", "max_handshakes_per_address"])
def test_one_too_many_from_an_address_is_refused(setting: str) -> None:
    """And from no other."""
    for server in limited(**{setting: 20}):
        connections = [server.connect(address="198.51.100.1") for _ in range(20)]
        assert not comes(server, "198.51.100.1")
        assert comes(server, "192.0.2.7")
        connections[0].disconnect()
        assert comes(server, "198.51.100.1")


@pytest.mark.parametrize("setting", ["max_handshakes", "max_handshakes_per_address"])
def test_a_complete_handshake_is_none_under_way(setting: str) -> None:
    for server in limited(**{setting: 3}):
        for each in range(10):
            server.connect_charger(target=f"/cp{each}")
        assert comes(server, "192.0.2.7")


def test_refused_handshakes_are_no_longer_under_way() -> None:
    for server in limited(max_handshakes=3):
        for _ in range(10):
            assert server.connect().exchange(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert comes(server, "192.0.2.7")


def test_refused_connections_are_told_once_a_minute() -> None:
    """F17: with their number, the setting, and an address."""
    told: list[str] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_namespace") == "ocpp_tw.websocket.addresses":
            told.append(formatEvent(event))

    for server in limited(max_connections_per_address=2):
        server.connect(), server.connect()
        globalLogPublisher.addObserver(observe)
        for _ in range(1000):
            assert not comes(server, "192.0.2.7")
        why = "192.0.2.7: there are 2 connections from one address (--max-connections-per-address)"
        assert told == [f"connections refused: 1, the last from {why}"]
        server.clock.advance(60)
        globalLogPublisher.removeObserver(observe)
        assert f"connections refused: 999, the last from {why}" in told


def limits(descriptors: int, **settings: Any) -> Limits:
    return Limits.of(Settings(**settings), descriptors)


def test_operators_redis_and_files_have_descriptors_of_their_own() -> None:
    """F17: as many as are left of the limit, or half of a small one."""
    assert limits(1 << 20).connections == 50_000
    assert limits(4096).connections == 3456
    assert limits(300).connections == 150


def test_one_address_does_not_get_the_last_quarter() -> None:
    """Unless the settings say so: behind a proxy all chargers have one address."""
    assert limits(1 << 20).connections_per_address == 10_000
    assert limits(4096).connections_per_address == 2592
    assert limits(4096, max_connections_per_address=50_000).connections_per_address >= 3456


@pytest.mark.parametrize(
    ("host", "one"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a:b", "a:b"),
        ("", ""),
    ],
)
def test_of_ipv6_a_subscriber_s_network_is_one_address(host: str, one: str) -> None:
    assert network(host) == one
