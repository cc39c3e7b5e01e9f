"""A fault-injection run: chargers, commands and faults for a while, then recovery, then the check. ``make chaos ARGS="--seed 7"``.

Ends with status 1 if a violation was found, and then writes everything that was recorded to a directory.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import react

from chaos import report, timings
from chaos.behaviour import VISITS
from chaos.checker import Checker
from chaos.faults import DAMAGE, FAULTS, Fault
from chaos.schedule import Planned, Schedule, draw
from chaos.system_under_test import Plan, SystemUnderTest
from fleets import pause

DELIVERY_TIMEOUT = 90.0
"""Seconds that chargers have to deliver their queued messages after the last fault is healed."""

RESULTS_TIMEOUT = 75.0
"""Seconds that commands have then to end in a result: one that a crashed gateway had taken waits a minute for its charger. Within the same
time the chargers that never came back are published as disconnected."""


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=int(time.time()), help="seed of everything random (default: the time)")
    parser.add_argument("--faults", type=int, default=1000, help="number of faults")
    parser.add_argument("--duration", type=float, default=600, help="seconds over which they are spread")
    parser.add_argument("--chargers", type=int, default=50, help="number of chargers")
    parser.add_argument("--pace", type=float, default=0.7, help="mean seconds between the actions of a charger")
    parser.add_argument("--patience", type=float, default=3, help="seconds that chargers wait for an answer, give or take a third")
    parser.add_argument("--rate", type=float, default=10, help="commands per second")
    parser.add_argument("--only", default="", help="inject only these: comma-separated lanes, names, or numbers of FAULTS.md")
    parser.add_argument("--without", default="", help="inject none of these: likewise")
    parser.add_argument("--omit", default="", help=f"leave these out: comma-separated, of {', '.join(sorted(VISITS))}")
    parser.add_argument("--damage", action="store_true", help="only damage to the spool (F18); use few --faults, 5 s for each")
    parser.add_argument("--no-spool", action="store_true", help="run the gateway without --spool")
    parser.add_argument("--faketime", default="", help="path of libfaketime.so.1, if it is not in its usual place")
    parser.add_argument(
        "--untold",
        dest="allow_unreported",
        action="store_true",
        help="tolerate commands that end as duplicate after a crash (before `claim` is at sending)",
    )
    parser.add_argument("--option", action="append", default=[], help="an additional argument for twistd ocpp")
    parser.add_argument("--keep", type=Path, default=Path("chaos-failure"), help="directory for failures (with a subdirectory per seed)")
    parser.add_argument("--markdown", type=Path, help="a document to write the table into, such as docs/operations.md")
    return parser.parse_args(arguments)


async def lane(system: SystemUnderTest, planned: list[Planned], epoch: float) -> None:
    """Inject the faults of one lane, one after the other."""
    for each in planned:
        await pause(max(0.0, epoch + each.at - system.ledger.now))
        each.begun = system.ledger.now
        try:
            await each.fault.run(system, each.seconds, random.Random(each.seed))
        except Exception as why:
            system.ledger.report_failure(f"the lane of '{each.fault.name}' stopped, since injecting it failed: {why!r}")
            return
        each.healed = system.ledger.now


async def quiesce(system: SystemUnderTest) -> Checker:
    """Let all chargers and commands finish, end the gateway, and collect the events."""
    ledger = system.ledger
    system.command_source.running = False
    for charger in system.chargers:
        charger.finish()
    deadline = time.monotonic() + DELIVERY_TIMEOUT
    while (unfinished := [each for each in system.chargers if not each.idle]) and time.monotonic() < deadline:
        await pause(0.2)
    for charger in unfinished:
        ledger.report_failure(f"{charger.name} could not deliver its messages within {DELIVERY_TIMEOUT:g} s: {charger.state}")
    deadline = time.monotonic() + RESULTS_TIMEOUT
    while time.monotonic() < deadline:
        began = time.monotonic()
        checker = await collect(system)
        if not (checker.commands.unanswered() or checker.connected()):
            break
        # the gateway's connections go through this process, too: on a busy machine they would stand still more often than not
        await pause(max(1, 5 * (time.monotonic() - began)))
    for charger in system.chargers:
        charger.end()
    await pause(1)
    await system.gateway.terminate()
    return await collect(system)


async def collect(system: SystemUnderTest) -> Checker:
    """A checker with the events and the elements of commands that are in Redis now."""
    await system.reader.catch_up()
    dead_letters = await system.control("LRANGE", "commands:dead", "0", "-1")
    in_flight = await system.control("LRANGE", f"commands:processing:{system.gateway.NAME}", "0", "-1")
    return Checker(
        system.ledger, system.reader.events, system.reader.seen_at, dead_letters, in_flight, system.plan.allow_unreported, system.damage
    )


def selected_faults(system: SystemUnderTest, arguments: argparse.Namespace) -> list[Fault]:
    """The selected faults that can be injected."""
    only, without = ({*names.split(",")} - {""} for names in (arguments.only, arguments.without))
    selected = [
        each
        for each in FAULTS.values()
        if (each.lane == DAMAGE) == arguments.damage
        and (not only or only & {each.number, each.lane, each.name})
        and not without & {each.number, each.lane, each.name}
    ]
    possible = [each for each in selected if not each.obstacle(system)]
    if not possible:
        raise SystemExit("none of these faults can be injected: " + "; ".join(f"{each.name}: {each.obstacle(system)}" for each in selected))
    return possible


async def play(arguments: argparse.Namespace) -> int:
    plan = Plan(
        seed=arguments.seed,
        chargers=arguments.chargers,
        pace=arguments.pace,
        patience=arguments.patience,
        rate=arguments.rate,
        spool=not arguments.no_spool,
        faketime=arguments.faketime,
        gateway_options=tuple(arguments.option),
        allow_unreported=arguments.allow_unreported,
        omits=frozenset(arguments.omit.split(",")) & VISITS,
    )
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as directory:
        system = SystemUnderTest(Path(directory), plan)
        reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(system.close()))
        try:
            await system.open()
            schedule = draw(arguments.seed, arguments.faults, arguments.duration, selected_faults(system, arguments))
            checker = await run(system, schedule)
            findings = checker.check()
            run_title = f"seed {arguments.seed}, {arguments.chargers} chargers, {system.ledger.now:.0f} s"
            totals, table = report.totals(run_title, schedule, findings), report.rows(system, schedule, findings)
            durations = timings.summary(system, schedule)
            print(report.plain(table))
            print(f"\n{dict(sorted(findings.counts.items()))}\n{durations}\n\n{totals}")
            for log_line in system.damage:
                print(log_line)
            if findings.violations:
                print("\n" + report.violations(schedule, findings))
                directory_kept = arguments.keep / str(arguments.seed)
                report.dump(directory_kept, system, schedule, findings, totals)
                print(f"\neverything that was recorded is in {directory_kept}")
            if arguments.markdown:
                report.write_into(arguments.markdown, report.markdown(table, totals, durations))
            return bool(findings.violations)
        finally:
            await system.close()


async def run(system: SystemUnderTest, schedule: Schedule) -> Checker:
    """From the first charger to the final state."""
    reading = Deferred.fromCoroutine(system.reader.run())
    for charger in system.chargers:
        charger.begin()
    pushing = Deferred.fromCoroutine(system.command_source.run())
    await pause(1)
    epoch = system.ledger.now
    lanes = [Deferred.fromCoroutine(lane(system, planned, epoch)) for planned in schedule.lanes.values()]
    await gatherResults(lanes, consumeErrors=True)
    checker = await quiesce(system)
    system.reader.running = False
    await pushing
    await reading
    return checker


def main() -> None:
    arguments = options(sys.argv[1:])

    def begin(reactor: Any) -> Deferred[None]:
        def ended(status: int) -> None:
            if status:
                raise SystemExit(status)

        return Deferred.fromCoroutine(play(arguments)).addCallback(ended)

    react(begin, ())


if __name__ == "__main__":
    main()
