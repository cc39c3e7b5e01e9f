"""The tables of what a message costs: beside other servers, in each version of OCPP, with and without monitoring; and how long it takes."""

from __future__ import annotations

import statistics

from load import VERSIONS
from measuring import Measuring, Rounds, Subject
from tables import number, table

RAW, ECHO, OURS, NODE, PEER = "raw Twisted echo", "Autobahn echo", "ocpp_tw", "ocpp-rpc on Node", "ocpp on websockets"

FILLED_WITHIN = 4
"""Seconds of full load in which the frames of a gateway fill their memory: until then each message has to be given some by the system."""

PLAIN = "ocpp_tw, --tap 0"

MONITORED = "1.6", "2.0.1"
"""The versions in which the price of monitoring is measured."""

PAIRS = 3
"""Gateways with monitoring, and as many without, between which its price is taken: where a process happens to lie in memory makes it up to a
tenth quicker or slower than another one of the same program."""

MESSAGE_ID = 12
"""Bytes of a CALL before what the scripts say."""


def named(server: str, version: str) -> str:
    """The name of a server that is measured in that version: in 1.6 its own."""
    return server if version == "1.6" else f"{server}, {version}"


def tables(measuring: Measuring) -> str:
    """Measure all servers in all versions, in the same rounds, and show it in three tables."""
    bench = measuring.bench
    servers = [bench.raw(), bench.echo(), bench.gateway(), bench.gateway(tls=True), bench.peer()]
    if measuring.node:
        servers.append(bench.node_peer(measuring.node))
    newer = {RAW: ["2.0.1"], OURS: ["2.0.1", "2.1"], NODE: ["2.0.1"], PEER: ["2.0.1"]}
    subjects = [
        Subject(named(server.name, version), server, ("--ocpp", version))
        for server in servers
        for version in ("1.6", *newer.get(server.name, ()))
    ]
    names = [server.name for server in servers]
    full = measuring.messages(subjects)
    # for the latencies at a given rate one round will do, and what is not there to be compared is left out
    paced = measuring.messages([each for each in subjects if each.name != named(RAW, "2.0.1")], "--rate", 500, rounds=1)
    for server in servers:
        bench.end(server)
    return "\n\n".join((beside_others(full, names), versions(full), latencies(full, paced)))


def beside_others(full: Rounds, names: list[str]) -> str:
    """The cycle of 1.6 at full load."""
    rows = []
    for name in names:
        ratios = [number(full.ratio(name, to)) for to in (RAW, ECHO, OURS)]
        valkey = number(None if name in (RAW, ECHO) else full.of(name, "valkey"))
        rows.append([name, number(full.of(name)), *ratios, number(full.of(name, "rate")), valkey])
    return table(["100 chargers", "CPU µs/message", "x raw", "x Autobahn", "x ocpp_tw", "messages/s", "Valkey's µs"], rows)


def mean_size(version: str) -> float:
    """Bytes of a CALL of the cycle on average, without WebSocket's own."""
    script = VERSIONS[version](0)
    next(script)  # the BootNotification
    return MESSAGE_ID + sum(len(script.send(b"")) for _ in range(20)) / 20


def versions(full: Rounds) -> str:
    """The same cycle in each version; the peers have none of 2.1."""
    peers = {peer: peer.partition(" ")[0] for peer in (NODE, PEER) if peer in full.each[0]}
    rows = []
    for version in VERSIONS:
        ours, raw = named(OURS, version), named(RAW, "1.6" if version == "1.6" else "2.0.1")  # 2.1's messages are those of 2.0.1
        costs = (full.of(ours), full.ratio(ours, raw), full.ratio(ours, OURS), full.of(ours, "valkey"))
        rows.append([version, number(mean_size(version)), *map(number, costs)])
        for peer in peers:
            known = version != "2.1"
            rows[-1] += [number(full.ratio(named(peer, version), to) if known else None) for to in (raw, ours)]
    header = ["cycle of OCPP", "bytes", "CPU µs/message", "x raw", "x 1.6", "Valkey's µs"]
    for package in peers.values():
        header += [f"{package} x raw", "x ocpp_tw"]
    return table(header, rows)


def latencies(full: Rounds, paced: Rounds) -> str:
    """From a CALL to its answer."""
    names = [name for name in full.each[0] if name in paced.each[0]]
    rows = [[name, *(number(each.of(name, figure)) for each in (full, paced) for figure in ("p50", "p99", "spread"))] for name in names]
    return table(["latency, ms", "p50", "p99", "p99 / p50", "at 500/s: p50", "p99", "p99 / p50"], rows)


def monitoring(measuring: Measuring) -> str:
    """What it costs that operators see frames and events: several gateways of each kind, all of them in turn."""
    bench = measuring.bench
    pairs = range(1 if measuring.quick else PAIRS)
    servers = {
        name: bench.gateway(*options) for pair in pairs for name, options in ((f"{OURS} {pair}", ()), (f"{PLAIN} {pair}", ("--tap", "0")))
    }
    if not measuring.quick:
        for server in servers.values():
            measuring.load(server, "--seconds", FILLED_WITHIN)
    rounds = measuring.messages(
        [Subject(named(name, version), server, ("--ocpp", version)) for version in MONITORED for name, server in servers.items()]
    )
    for server in servers.values():
        bench.end(server)
    return price_of_monitoring(rounds, len(pairs))


def price_of_monitoring(rounds: Rounds, pairs: int) -> str:
    """Of so many pairs of gateways, which are named `OURS` and `PLAIN` with the number of their pair."""
    rows = []
    for version in MONITORED:
        costs = [
            (each[named(f"{OURS} {pair}", version)]["us"], each[named(f"{PLAIN} {pair}", version)]["us"])
            for each in rounds.each
            for pair in range(pairs)
        ]
        ours, plain = (statistics.median(each) for each in zip(*costs, strict=True))
        ratios = [cost / without for cost, without in costs]
        difference = statistics.median(cost - without for cost, without in costs)
        rows.append([version, *map(number, (ours, plain, difference, statistics.median(ratios), min(ratios), max(ratios)))])
    return table(["price of monitoring", "CPU µs/message", "with --tap 0", "difference", "x --tap 0", "least", "most"], rows)
