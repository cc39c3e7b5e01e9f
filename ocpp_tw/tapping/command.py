"""``ocpp-tw tap`` and ``ocpp-tw replay``: the options and what is printed.

Returns the exit status: 0 success, 1 if the gateway does not answer or answers otherwise than before, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..option_types import certificates, chargers_url, number
from ..registering.command import add_gateway, token_of

if TYPE_CHECKING:
    from .following import Tap


def add_tap(commands: Any) -> None:
    """Add both commands."""
    tap = commands.add_parser(
        "tap",
        help="show what a charger and the gateway say to each other",
        description="Show the frames of a charger, or of several, as they are sent and received: first the last ones, then live, until Ctrl-C.",
    )
    tap.set_defaults(run=_tap)
    tap.add_argument("charger", metavar="CHARGER", nargs="+", help="identity of a charger")
    tap.add_argument("--action", default="", help="only frames of this action, and their answers")
    tap.add_argument("--last", type=number(int, 0, 5000), default=20, metavar="N", help="the last N frames first (%(default)s)")
    tap.add_argument("--events", action="store_true", help="events as well")
    tap.add_argument("--once", action="store_true", help="only the last frames, and end")
    tap.add_argument("--blank-tags", action="store_true", help="show no tags")
    tap.add_argument("--json", action="store_true", help="print JSON lines, as `ocpp-tw replay` reads them")
    tap.add_argument("--colour", choices=("auto", "yes", "no"), default="auto", help="colours (auto: if the output is a terminal)")
    add_gateway(tap)
    replay = commands.add_parser(
        "replay",
        help="play recorded chargers against a gateway",
        description="Play the frames of recorded chargers (JSON lines, from `ocpp-tw tap --json` or /api/fleet/chargers/ID/frames) against a gateway, and"
        " compare its answers with the recorded ones, but for times and transaction ids. Exit status 1 if any is different.",
    )
    replay.set_defaults(run=_replay)
    replay.add_argument("file", metavar="FILE", type=Path, help="the recording; - for the standard input")
    replay.add_argument("--url", type=chargers_url, default="ws://127.0.0.1:10800/", help="the gateway's port for chargers (%(default)s)")
    replay.add_argument(
        "--speed", type=number(float, 0, 1e6), default=1.0, metavar="X", help="how much faster than it was; 0: as fast as answers come (1)"
    )
    replay.add_argument("--ocpp", choices=("1.6", "2.0.1", "2.1"), default="", help="the version of OCPP (what the chargers seem to speak)")
    replay.add_argument("--password", default=os.environ.get("OCPP_PASSWORD", ""), help="the chargers' password; better as OCPP_PASSWORD")
    replay.add_argument("--ignore", action="append", default=[], metavar="NAME", help="a member of answers that is not compared")
    replay.add_argument("--ca", metavar="FILE", type=certificates, help="the authority of its certificate (PEM)")


def _tap(options: argparse.Namespace) -> int:
    from .following import Refused, Tap
    from .printing import Printer

    printer = Printer(colours=options.colour == "yes" or (options.colour == "auto" and sys.stdout.isatty()))
    tap = Tap(options.url, token_of(options), options.ca)
    query = {"action": options.action} | ({"tags": "blank"} if options.blank_tags else {})

    def say(told: dict[str, Any]) -> None:
        kind = told.pop("kind", "frame")
        if options.json:
            if kind in ("frame", "event") and (kind == "frame" or options.events):
                print(json.dumps(told), flush=True)
        elif kind == "frame":
            print(printer.frame(told), flush=True)
        elif kind == "event":
            print(printer.event(told), flush=True)
        else:
            print(printer.note(f"{told['count']} were left out" if kind == "left_out" else str(told.get("detail"))), flush=True)

    try:
        if options.last:
            last = {charger: _last(tap, charger, options, query) for charger in options.charger}
            for each in sorted([each for of_one in last.values() for each in of_one], key=lambda each: str(each["time"])):
                say(each)
            unknown = [charger for charger, of_one in last.items() if not of_one]
            if options.once and unknown:
                such = f" with action {options.action}" if options.action else ""
                print(f"ocpp-tw tap: nothing{such} is remembered of {', '.join(unknown)}", file=sys.stderr)
                return 1
        if not options.once:
            for each in tap.live(options.charger, ("frames", "events") if options.events else ("frames",), query):
                say(each)
    except Refused as why:
        print(f"ocpp-tw tap: {why}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at its end
    return 0


def _last(tap: Tap, charger: str, options: argparse.Namespace, query: dict[str, str]) -> list[dict[str, Any]]:
    """What was said last by and to a charger, and the latest events about it if those are wanted. Raises `Refused`."""
    query = query | {"limit": str(options.last)}
    events = tap.events(charger, {name: value for name, value in query.items() if name != "action"}) if options.events else []
    return tap.last(charger, query) + events


def _replay(options: argparse.Namespace) -> int:
    import asyncio
    import ssl

    from .recording import WrongFile, read
    from .replaying import Plan, replay

    try:
        lines = sys.stdin.read() if str(options.file) == "-" else options.file.read_text()
        chargers = read(lines.splitlines())
    except (OSError, UnicodeDecodeError) as why:
        print(f"ocpp-tw replay: {options.file}: {why}", file=sys.stderr)
        return 2
    except WrongFile as why:
        print(f"ocpp-tw replay: {options.file}: {why}", file=sys.stderr)
        return 2
    if not chargers:
        print(f"ocpp-tw replay: {options.file} has no message of a charger", file=sys.stderr)
        return 2
    tls = ssl.create_default_context(cafile=options.ca) if options.url.startswith("wss:") else None
    plan = Plan(options.url, options.speed, options.ocpp, options.password, frozenset(options.ignore), tls)
    try:
        tally = asyncio.run(replay(chargers, plan, lambda line: print(line, flush=True)))
    except KeyboardInterrupt:
        return 1
    for each in tally.failed:
        print(f"ocpp-tw replay: {each}", file=sys.stderr)
    print(f"{tally.chargers} chargers, {tally.sent} messages, {tally.compared} answers compared, {tally.different} different")
    return 1 if tally.different or tally.failed else 0
