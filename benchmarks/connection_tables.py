"""The tables of many chargers that connect at once, are idle, and leave at once: each time with a fresh server."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from measuring import Measuring, Rounds
from message_tables import ECHO, OURS, RAW
from servers import Server
from tables import number, table


def tables(measuring: Measuring) -> str:
    bench, rounds = measuring.bench, Rounds()
    chargers = min(1000 if measuring.quick else 5000, measuring.descriptors)
    servers: list[Callable[[], Server]] = [bench.raw, bench.echo, bench.gateway, bench.peer]
    if measuring.node:
        servers.append(partial(bench.node_peer, measuring.node))
    servers.append(partial(bench.gateway, tls=True))
    if not measuring.quick:
        passwords, certificates = (partial(each, chargers) for each in (bench.gateway_with_passwords, bench.gateway_with_certificates))
        servers += [bench.echo_over_tls, passwords, certificates]
    for _ in range(min(measuring.rounds, 2)):
        rounds.each.append(dict(measuring.connections(begin, chargers) for begin in servers))
    return f"{arrivals(rounds, chargers)}\n\n{departures(rounds, chargers)}"


def arrivals(rounds: Rounds, chargers: int) -> str:
    rows = []
    for name in rounds.each[0]:
        seconds = rounds.of(name, "seconds")
        costs = (rounds.of(name), rounds.ratio(name, ECHO), rounds.ratio(name, OURS), chargers / seconds, seconds)
        memory = (rounds.of(name, "kib"), rounds.ratio(name, ECHO, "kib"), rounds.ratio(name, OURS, "kib"))
        rows.append([name, *map(number, (*costs, *memory))])
    header = [
        f"{chargers:,} at once",
        "CPU µs each",
        "x Autobahn",
        "x ocpp_tw",
        "each/s",
        "all in, s",
        "KiB idle",
        "x Autobahn",
        "x ocpp_tw",
    ]
    return table(header, rows)


def departures(rounds: Rounds, chargers: int) -> str:
    rows = []
    for name in rounds.each[0]:
        costs = (rounds.of(name, "leaving us"), *(rounds.ratio(name, to, "leaving us") for to in (RAW, ECHO, OURS)))
        rows.append([name, *map(number, costs), number(rounds.of(name, "leaving seconds") or None)])
    return table([f"{chargers:,} leave at once", "CPU µs each", "x raw", "x Autobahn", "x ocpp_tw", "all in Redis, s"], rows)
