"""The tables of how the cost of a message grows: with the number of chargers, with its size, and with workers."""

from __future__ import annotations

from load import VERSIONS
from measuring import Measuring, Subject
from message_tables import MESSAGE_ID, OURS, RAW, named
from servers import CORES
from tables import number, table

from ocpp_tw.ocpp.compiled import WITHOUT

INTERPRETED = "ocpp_tw without compiled modules"

SIZED = {"1.6": "1.6 MeterValues", "2.0.1": "2.0.1 TransactionEvent"}
"""What the load generator sends with a given number of samples, by version."""


def fleet(measuring: Measuring) -> str:
    """With the number of chargers."""
    counts = [each for each in ((100, 1000) if measuring.quick else (100, 1000, 10_000)) if each <= measuring.descriptors]
    servers = [measuring.bench.raw(), measuring.bench.gateway()]
    subjects = [
        # the warm-up is so long that every charger has sent a message
        Subject(f"{server.name}, {count}", server, ("--chargers", count, "--warm", max(measuring.warm, count / 4000)))
        for count in counts
        for server in servers
    ]
    rounds, rows = measuring.messages(subjects, rounds=min(measuring.rounds, 2)), []
    for count in counts:
        ours, raw, first = f"{OURS}, {count}", f"{RAW}, {count}", f"{OURS}, {counts[0]}"
        rows.append([f"{count:,}", *map(number, (rounds.of(ours), rounds.ratio(ours, first), rounds.of(raw), rounds.ratio(ours, raw)))])
    for server in servers:
        measuring.bench.end(server)
    return table(["chargers", "CPU µs/message", f"x {counts[0]} chargers", "raw echo", "x raw"], rows)


def size(measuring: Measuring) -> str:
    """With the number of its samples."""
    sizes = (1, 160) if measuring.quick else (1, 40, 160)
    interpreted = measuring.bench.gateway(**{WITHOUT: "1"})
    interpreted.name = INTERPRETED
    servers, rows = [measuring.bench.raw(), measuring.bench.gateway(), interpreted], []
    subjects = [
        Subject(f"{named(server.name, version)}, {samples}", server, ("--ocpp", version, "--samples", samples))
        for version in SIZED
        for samples in sizes
        for server in servers
    ]
    rounds = measuring.messages(subjects, rounds=min(measuring.rounds, 2))
    for version, message in SIZED.items():
        before = 0
        for samples in sizes:
            ours, raw, plain = (f"{named(server, version)}, {samples}" for server in (OURS, RAW, INTERPRETED))
            cost = [
                number(rounds.of(ours)),
                "-",
                *map(number, (rounds.of(raw), rounds.ratio(ours, raw), rounds.of(plain), rounds.ratio(plain, ours))),
            ]
            if before:
                less, more = f"{named(OURS, version)}, {before}", samples - before
                cost[1] = number(rounds.median(lambda each, ours=ours, less=less, more=more: (each[ours]["us"] - each[less]["us"]) / more))
            rows.append([message, str(samples), f"{message_size(version, samples):,}", *cost])
            before = samples
    for server in servers:
        measuring.bench.end(server)
    header = ["message", "samples", "bytes", "CPU µs/message", "µs/additional sample", "raw echo", "x raw", "not compiled", "x ocpp_tw"]
    return table(header, rows)


def message_size(version: str, samples: int) -> int:
    """Bytes of one of the many, without WebSocket's own."""
    script = VERSIONS[version](0, samples)
    next(script)  # the BootNotification
    script.send(b"")  # in 2.x the transaction begins
    return MESSAGE_ID + len(script.send(b""))


def cores(measuring: Measuring) -> str:
    """With a second worker. Meaningful only if two cores are free beside those of the load generator and Valkey."""
    bench, results = measuring.bench, {}
    ours, others = (set(bench.own), bench.others) if len(bench.own) > 1 else (set(CORES), set(CORES))
    for workers in (1, 2):
        server = bench.gateway("--workers", str(workers), cores=ours) if workers > 1 else bench.gateway(cores=ours)
        results[workers] = measuring.messages([Subject(OURS, server)], "--chargers", 400, cores=others)
        bench.end(server)
    costs = {workers: (each.of(OURS), each.of(OURS, "rate")) for workers, each in results.items()}
    one, one_rate = costs[1]
    rows = [
        [str(workers), *map(number, (us, us / one, rate, rate / one_rate, workers * 1e6 / us, workers * one / us))]
        for workers, (us, rate) in costs.items()
    ]
    return table(["workers", "CPU µs/message", "x one", "messages/s here", "x one", "with cores of their own", "x one"], rows)
