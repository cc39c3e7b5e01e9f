"""Feeds a gateway in memory with what nobody expects. ``make fuzz ARGS="--seed 7 --seconds 600"``.

First every member of every schema is grown to the largest message, then random mutations follow: messages, commands and their answers, and
what comes in at both ports. Ends with status 1 at the first finding, which names the seed and the input.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import heapq
import resource
import sys
import time
import traceback

from fuzz.grown import FOLDERS, grown
from fuzz.harness import Finding, Harness
from fuzz.inputs import Inputs
from ocpp_tw.process import tuning

REPORTED = 100_000
"""Inputs after which is told how many there were."""

GROWTH = 300_000
"""Most blocks of memory that there may be beyond those after the first inputs that were told of: the counts of violations may take 122,000 of
them, when there are as many vendors as are told apart."""

SLOWER = 10
"""How many times longer than one message any mutated input may take, with all that follows from it: each is measured only once."""

HANGING = 300
"""Seconds after which a thousand inputs that are not done are a standstill: then it says where, and ends."""

SHOWN = 10
"""The dearest messages that are listed."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=int(time.time()), help="seed of everything random (default: the time)")
    parser.add_argument("--seconds", type=float, default=300, help="for how long mutations are tried")
    parser.add_argument("--size", type=int, default=1_000_000, help="size that things are grown to, in bytes; 0 grows nothing")
    parser.add_argument("--standstill", type=float, default=100, help="most milliseconds of CPU time that one message may take")
    parser.add_argument("--only", default="", help="grow only this version's messages: 1.6, 2.0.1 or 2.1")
    return parser.parse_args()


def grow(harness: Harness, args: argparse.Namespace) -> int:
    """Try everything that can be grown; how many messages that were."""
    dearest: list[tuple[float, str]] = []
    count = 0
    for folder, ocpp in FOLDERS.items():
        if args.only not in ("", ocpp):
            continue
        for each in grown(folder, args.size - 40_000, every_shape=True):
            count += 1
            send = harness.answer if each.response else harness.call
            took = send(each.ocpp, each.action, each.text, str(each))
            if took * 1000 > args.standstill / 2:
                took = harness.best(lambda each=each, send=send: send(each.ocpp, each.action, each.text, str(each)))
            if took * 1000 > args.standstill:
                raise Finding(f"{each}: {took * 1000:.0f} ms")
            heapq.heappush(dearest, (took, str(each)))
            if len(dearest) > SHOWN:
                heapq.heappop(dearest)
    for took, what in sorted(dearest, reverse=True):
        print(f"{took * 1000:6.1f} ms  {what}")
    return count


def mutate(harness: Harness, args: argparse.Namespace) -> int:
    """Try mutations for as long as was asked for; how many inputs that were."""
    inputs, begun, count, settled = Inputs(harness, args.seed), time.monotonic(), 0, 0
    harness.now, most = time.perf_counter, SLOWER * args.standstill / 1000
    while time.monotonic() < begun + args.seconds:
        if count % 100 == 0:
            worked = time.process_time()
        if count % 1000 == 0:
            faulthandler.dump_traceback_later(HANGING, exit=True)
            harness.forget()
        count += 1
        try:
            took = inputs.next()
        except Exception as why:
            raise Finding(f"input {count}, {inputs.latest[:300]!r}: {why!r}") from why
        if took > most and time.process_time() - worked > most:  # not because others had the processor
            raise Finding(f"input {count}, {inputs.latest[:300]!r}: {took:.1f} s")
        if count % 100 == 0:
            harness.pass_time(10)
        if count % REPORTED == 0:
            gc.collect()
            blocks, megabytes = sys.getallocatedblocks(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(f"seed {args.seed}: {count} inputs, {time.monotonic() - begun:.0f} s, {megabytes} MB, {blocks} blocks", flush=True)
            settled = settled or blocks
            if blocks > settled + GROWTH:
                raise Finding(f"{blocks} blocks of memory after {count} inputs, {settled} after the first {REPORTED}")
    faulthandler.cancel_dump_traceback_later()
    return count


def main() -> int:
    args, harness = options(), Harness()
    tuning.freeze_garbage()  # as a gateway does; else the collector looks through all of it again and again, and that is measured
    try:
        messages = grow(harness, args) if args.size else 0
        harness.close()
        harness = Harness()
        inputs = mutate(harness, args)
    except Finding as why:
        if why.__cause__ is not None:
            traceback.print_exception(why.__cause__)
        print(f"seed {args.seed}: {why}", file=sys.stderr)
        return 1
    print(f"seed {args.seed}: {messages} messages grown, {inputs} inputs mutated, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
