"""``ocpp-tw status``: the overview of a fleet in a terminal, once or again and again.

Returns the exit status: 0 success, 1 if there was no answer. Knows the JSON of `GET /api/overview`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from ..words import shown
from .command import add_gateway, token_of

INTERVAL = 2.0
"""Seconds between two looks with --watch."""

CLEAR = "\x1b[H\x1b[J"
"""Moves the cursor to the top and clears the terminal."""

BARS = "▁▂▃▄▅▆▇█"

JUDGEMENTS = {"clock_skew", "silent", "unresponsive", "flapping", "flooding"}
"""Troubles that say how much, and not why."""

TROUBLES = 10
"""Most troubles that are shown."""


def add_status(commands: Any) -> None:
    """Add the command."""
    status = commands.add_parser(
        "status",
        help="show the overview of a gateway's fleet",
        description="Show the overview of a running gateway's fleet: chargers by state, power, rates, gateways, and the latest troubles.",
    )
    status.set_defaults(run=_status)
    add_gateway(status)
    status.add_argument("--watch", action="store_true", help="show it again every two seconds, until Ctrl-C")
    status.add_argument("--json", action="store_true", help="print it as JSON")


def _status(options: argparse.Namespace) -> int:
    from .client import Client, Unreachable

    client = Client(options.url, token_of(options), options.ca)
    begun = False
    try:
        while True:
            try:
                answer = client.ask("GET", "/api/overview")
                problem = "" if answer.status == 200 else answer.why
                passes = answer.status >= 500
            except Unreachable as why:
                problem, passes = str(why), True
            if problem:
                print(f"ocpp-tw status: {problem}", file=sys.stderr, flush=True)
                if not (begun and passes):
                    return 1
            else:
                begun = options.watch
                text = json.dumps(answer.body, ensure_ascii=False) if options.json else "\n".join(lines(answer.body))
                print(f"{CLEAR}{text}" if options.watch and sys.stdout.isatty() else text, flush=True)
                if not options.watch:
                    return 0
            time.sleep(INTERVAL)
    except KeyboardInterrupt:
        return 0
    finally:
        client.close()


def lines(overview: dict[str, Any]) -> list[str]:
    """The overview as lines of a terminal."""
    chargers = overview["chargers"]
    states = "  ".join(f"{name} {count}" for name, count in chargers.items() if name != "total")
    names = [each["name"] for each in overview["gateways"]]
    alone = overview["trouble"] and len(names) == 1
    of = f"gateway {shown(names[0])} only, since others cannot be asked" if alone else f"{len(names)} gateways"
    found = [
        f"{overview['time']}  {of}",
        f"chargers  {chargers['total']}: {states}",
        f"power     {overview['power_w'] / 1000:.1f} kW now, {overview['energy_today_wh'] / 1000:.1f} kWh today",
    ]
    found += [f"{name:9} {bars(overview['rates'][name])} per second, the last hour" for name in ("messages", "events")]
    unread = overview["redis"]["unread"]
    found.append(f"unread    {'not known how many' if unread is None else unread} events wait in Redis for the backend")
    trouble, redis, backend = overview["trouble"], overview["redis"]["trouble"], overview["backend"]["detail"]
    if redis and not trouble.startswith("Redis"):  # else it says the same
        lacks = "takes no writes" if overview["redis"]["state"] == "refusing" else "is away"
        trouble = "; ".join([each for each in (trouble, f"Redis {lacks}: {redis}") if each])
    for problem in (trouble, backend and f"the backend is not asked: {backend}"):
        if problem:
            found.append(f"TROUBLE   {shown(problem, 200)}")
    if overview["missing"]:
        found.append(f"TROUBLE   no answer from {', '.join(shown(each) for each in overview['missing'])}")
    found += [f"TROUBLE   {_gone(each)}" for each in overview.get("gone", ())]
    found += ["", *_table(GATEWAY, [_gateway(each) for each in overview["gateways"]])]
    troubles = [_trouble(each) for each in overview["troubles"][:TROUBLES]]
    return found + (["", *_table(TROUBLE, troubles)] if troubles else [])


GATEWAY = ("GATEWAY", "CHARGERS", "MESSAGES/S", "EVENTS/S", "LAG MS", "MEMORY MB", "CPU", "REDIS", "SPOOLED", "BACKEND", "SINCE")
REDIS = {"ok": "ok", "refusing": "takes no writes", "away": "away"}
TROUBLE = ("TIME", "TROUBLE", "CHARGER", "WHAT")


def _gateway(each: dict[str, Any]) -> tuple[str, ...]:
    spool = each["spool"]
    return (
        shown(each["name"]),
        str(each["chargers"]),
        str(each["messages_per_second"]),
        str(each["events_per_second"]),
        str(each["loop_lag_ms"]),
        str(each["memory_mb"]),
        "-" if each["cpu"] is None else f"{each['cpu']:.0%}",
        REDIS[each["redis"]["state"]],
        "-" if spool is None else f"{spool['events']}{' (disk!)' if spool['trouble'] else ''}",
        each["backend"]["state"],
        each["started"],
    )


def _gone(each: dict[str, Any]) -> str:
    """That a gateway is gone, since when, and how many chargers it had."""
    chargers = each.get("chargers")
    had = f", with {chargers} charger{'s' if chargers > 1 else ''}" if chargers else ""
    return f"gateway {shown(each['name'])} is gone, and was there last at {each['since']}{had}"


def _judgement(each: dict[str, Any]) -> str:
    """What the gateway has counted of a charger, in words."""
    seconds = each.get("seconds")
    if each.get("event") == "clock_skew" and isinstance(seconds, int):
        return f"its clock is {abs(seconds)} s {'slow' if seconds < 0 else 'fast'}"
    counted = {"timeouts": "commands without an answer", "connects": "connections", "messages": "messages", "bytes": "bytes"}
    told = [f"{each[name]} {words}" for name, words in counted.items() if isinstance(each.get(name), int)]
    if seconds is not None:
        told.append(f"nothing has come for {seconds} s" if each.get("event") == "silent" else f"within {seconds} s")
    return ", ".join(told)


def _trouble(each: dict[str, Any]) -> tuple[str, ...]:
    what = next((str(each[name]) for name in ("description", "reason", "kind", "detail") if each.get(name)), "")
    if not what and each.get("event") in JUDGEMENTS:
        what = _judgement(each)
    elif not what and each.get("code") is not None:
        what = f"close code {each['code']}"
    over = " (over)" if each.get("over") else ""
    return str(each.get("time")), f"{each.get('event')}{over}", shown(str(each.get("charger") or "-"), 48), shown(what)


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (header, *rows)]


def bars(values: list[float]) -> str:
    """A bar for each, the greatest one as high as can be; and the latest and the greatest as numbers."""
    most = max(values, default=0.0)
    drawn = "".join(BARS[round(value / most * (len(BARS) - 1))] if most else BARS[0] for value in values)
    return f"{drawn} {values[-1] if values else 0:g}, at most {most:g}"
