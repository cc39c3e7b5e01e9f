"""A run: chargers, commands and faults for a while, then peace, then the reckoning. ``make chaos ARGS="--seed 7"``.

Ends with status 1 if anything was found, and then leaves all that was recorded in a directory.
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
from chaos.checker import Checker
from chaos.faults import DAMAGE, FAULTS, Fault
from chaos.house import House, Plan
from chaos.schedule import Planned, Schedule, drawn
from fleets import pause

CALM = 90.0
"""Seconds that chargers have, when all is well again, to get rid of what they have to say."""

MINUTE = 75.0
"""Seconds that commands have then: one that a dead gateway left over waits a minute for its charger."""


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=int(time.time()), help="what all chance comes from (default: the time)")
    parser.add_argument("--faults", type=int, default=1000, help="how many faults")
    parser.add_argument("--duration", type=float, default=600, help="over how many seconds")
    parser.add_argument("--chargers", type=int, default=50)
    parser.add_argument("--pace", type=float, default=0.7, help="seconds from one thing that a charger does to the next")
    parser.add_argument("--patience", type=float, default=3, help="seconds that chargers wait for an answer, give or take a third")
    parser.add_argument("--rate", type=float, default=10, help="commands a second")
    parser.add_argument("--only", default="", help="lanes, names, or numbers of FAULTS.md, with commas between them: no other faults")
    parser.add_argument("--without", default="", help="likewise: none of these")
    parser.add_argument("--damage", action="store_true", help="nothing but damages to the spool (F18); give few --faults, 5 s for each")
    parser.add_argument("--no-spool", action="store_true", help="run the gateway without --spool")
    parser.add_argument("--faketime", default="", help="libfaketime.so.1, where it is not in its usual place")
    parser.add_argument(
        "--untold", action="store_true", help="put up with commands that end as duplicate after a crash (before `claim` is at sending)"
    )
    parser.add_argument("--option", action="append", default=[], help="one more word for twistd ocpp's command line")
    parser.add_argument("--keep", type=Path, default=Path("chaos-failure"), help="where a failure is put (a directory for each seed)")
    parser.add_argument("--markdown", type=Path, help="a document to write the table into, such as docs/operations.md")
    return parser.parse_args(arguments)


async def lane(house: House, planned: list[Planned], epoch: float) -> None:
    """The faults of one lane, one after the other."""
    for each in planned:
        await pause(max(0.0, epoch + each.at - house.ledger.now))
        each.begun = house.ledger.now
        try:
            await each.fault.run(house, each.seconds, random.Random(each.seed))
        except Exception as why:
            house.ledger.complain(f"no more faults like '{each.fault.name}', since this one failed: {why!r}")
            return
        each.healed = house.ledger.now


async def calm(house: House) -> Checker:
    """Let everybody come to an end, and read what there is then."""
    ledger = house.ledger
    house.orders.running = False
    for charger in house.chargers:
        charger.finish()
    deadline = time.monotonic() + CALM
    while (restless := [each for each in house.chargers if not each.idle]) and time.monotonic() < deadline:
        await pause(0.2)
    for charger in restless:
        ledger.complain(f"{charger.name} could not get rid of what it has to say in {CALM:g} s: {charger.state}")
    deadline = time.monotonic() + MINUTE
    while (await reckoning(house)).commands.unanswered() and time.monotonic() < deadline:
        await pause(1)
    for charger in house.chargers:
        charger.end()
    await pause(1)
    await house.gateway.terminate()
    return await reckoning(house)


async def reckoning(house: House) -> Checker:
    """What is there now."""
    await house.reader.catch_up()
    graves = await house.control("LRANGE", "commands:dead", "0", "-1")
    in_hand = await house.control("LRANGE", f"commands:processing:{house.gateway.NAME}", "0", "-1")
    return Checker(house.ledger, house.reader.events, house.reader.came, graves, in_hand, house.plan.untold, house.damage)


def chosen(house: House, arguments: argparse.Namespace) -> list[Fault]:
    """The faults that can be and are wanted."""
    only, without = ({*words.split(",")} - {""} for words in (arguments.only, arguments.without))
    wanted = [
        each
        for each in FAULTS.values()
        if (each.lane == DAMAGE) == arguments.damage
        and (not only or only & {each.number, each.lane, each.name})
        and not without & {each.number, each.lane, each.name}
    ]
    able = [each for each in wanted if not each.needs(house)]
    if not able:
        raise SystemExit("none of these faults can be: " + "; ".join(f"{each.name}: {each.needs(house)}" for each in wanted))
    return able


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
        untold=arguments.untold,
    )
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as directory:
        house = House(Path(directory), plan)
        reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(house.close()))
        try:
            await house.open()
            schedule = drawn(arguments.seed, arguments.faults, arguments.duration, chosen(house, arguments))
            checker = await run(house, schedule)
            findings = checker.check()
            said = f"seed {arguments.seed}, {arguments.chargers} chargers, {house.ledger.now:.0f} s"
            line, table = report.totals(said, schedule, findings), report.rows(house, schedule, findings)
            took = timings.told(house, schedule)
            print(report.plain(table))
            print(f"\n{dict(sorted(findings.counts.items()))}\n{took}\n\n{line}")
            for said in house.damage:
                print(said)
            if findings.violations:
                print("\n" + report.violations(schedule, findings))
                where = arguments.keep / str(arguments.seed)
                report.dump(where, house, schedule, findings, line)
                print(f"\nall that was recorded is in {where}")
            if arguments.markdown:
                report.into(arguments.markdown, report.markdown(table, line, took))
            return bool(findings.violations)
        finally:
            await house.close()


async def run(house: House, schedule: Schedule) -> Checker:
    """From the first charger to the reckoning."""
    reading = Deferred.fromCoroutine(house.reader.run())
    for charger in house.chargers:
        charger.begin()
    ordering = Deferred.fromCoroutine(house.orders.run())
    await pause(1)
    epoch = house.ledger.now
    lanes = [Deferred.fromCoroutine(lane(house, planned, epoch)) for planned in schedule.lanes.values()]
    await gatherResults(lanes, consumeErrors=True)
    checker = await calm(house)
    house.reader.running = False
    await ordering
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
