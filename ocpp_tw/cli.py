"""``ocpp-tw``: the command line for people at work with the gateway; ``ocpp-tw simulate`` plays chargers.

Reads argv and the environment, prints, and sets the exit status: 0 all well, 1 errors, 2 wrong usage. Knows nothing of OCPP.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import __version__

if TYPE_CHECKING:
    from .simulator.fleet import Fleet, Plan


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = Parser(prog="ocpp-tw", description="At work with the OCPP gateway.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_simulate(commands)
    arguments = parser.parse_args(argv)
    return int(arguments.run(arguments))


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> Any:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _number(kind: type, low: float, high: float) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected a{' whole' if kind is int else ''} number from {low:g} to {high:g}, got {text!r}")
        return value

    return read


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("ws", "wss") and parts.hostname and parts.port != 0 and not parts.query and not parts.fragment
    except ValueError:
        good = False
    if not good:
        raise argparse.ArgumentTypeError(f"expected ws://HOST:PORT/ or wss://HOST:PORT/, got {text!r}")
    return text


def _tag(text: str) -> str:
    if not 0 < len(text) <= 36:
        raise argparse.ArgumentTypeError("a tag has 1 to 36 characters")
    return text


def _add_simulate(commands: Any) -> None:
    whole, decimal = partial(_number, int), partial(_number, float)
    simulate = commands.add_parser(
        "simulate",
        help="play a charger, or a thousand",
        description="Play an OCPP 1.6 charger, or many: each connects, boots, charges a car and says goodbye. Exit status 1 after any error.",
    )
    simulate.set_defaults(run=_simulate)
    add = simulate.add_argument
    add("--url", type=_url, default="ws://127.0.0.1:10800/", help="the gateway; the charger's id is appended (%(default)s)")
    add("--id", help="the charger's id, when there is one (charger-001)")
    add("--prefix", default="charger-", help="beginning of the ids, before a number, when there are many (%(default)s)")
    add("--count", type=whole(1, 100_000), default=1, metavar="N", help="how many chargers (%(default)s)")
    add("--connectors", type=whole(1, 100), default=1, metavar="N", help="connectors of each (%(default)s)")
    add(
        "--duration",
        type=decimal(0.1, 1e7),
        metavar="SECONDS",
        help="run for so long by the clock on the wall (until the transactions are done)",
    )
    add("--speed-up", type=decimal(0.01, 10_000), default=60.0, metavar="X", help="simulated seconds in a real one (%(default)g)")
    add("--ocpp", choices=("1.6", "2.0.1", "2.1"), default="1.6", help="the version they speak, and offer (%(default)s)")
    add("--flow", choices=("id", "plug"), help="2.x: what a driver does first, present the tag or plug in (id)")
    add("--stream", action="store_true", help="2.1: stream the power of the first EVSE")
    add("--rate", type=decimal(0.01, 10_000), default=100.0, metavar="N", help="new connections per second (%(default)g)")
    add("--tag", type=_tag, default="RFID-12345", help="what drivers present (%(default)s)")
    add("--transactions", type=whole(0, 1_000_000), metavar="N", help="of each charger (1; with --duration: as many as there is time for)")
    add("--minutes", type=decimal(0.1, 10_000), default=30.0, metavar="M", help="simulated length of a transaction (%(default)g)")
    add("--wait", action="store_true", help="begin nothing: only connect and obey commands, until --duration or Ctrl-C")
    add(
        "--meter-interval",
        type=whole(0, 86_400),
        default=120,
        metavar="SECONDS",
        help="simulated seconds between meter values (%(default)s)",
    )
    add("--power", type=decimal(0.1, 1000), default=22.0, metavar="KW", help="of each connector; more than 43 is DC (%(default)g)")
    add("--timeout", type=decimal(0.1, 3600), default=30.0, metavar="SECONDS", help="how long to wait for an answer (%(default)g)")
    add("--password", help="for Basic auth; rather set OCPP_PASSWORD, which other users of this machine cannot see")
    add("--fresh-ids", action="store_true", help="send an unanswered message again under a new message id (default: the same)")
    add("--seed", type=whole(0, 2**63), metavar="N", help="for runs that repeat exactly")
    add("--insecure", action="store_true", help="with wss: accept any certificate")
    add("--json", action="store_true", help="print the summary as JSON")
    add("--quiet", action="store_true", help="print nothing but errors and the summary")


def _plan(options: argparse.Namespace) -> Plan:
    from .simulator.fleet import Plan

    if options.count == 1:
        ids: tuple[str, ...] = (options.id or f"{options.prefix}001",)
    else:
        width = max(3, len(str(options.count)))
        ids = tuple(f"{options.prefix}{number:0{width}}" for number in range(1, options.count + 1))
    transactions = options.transactions
    if transactions is None and options.duration is None:
        transactions = 1
    return Plan(
        url=options.url,
        ids=ids,
        connectors=options.connectors,
        duration=options.duration,
        speed_up=options.speed_up,
        rate=options.rate,
        tag=options.tag,
        transactions=transactions,
        wait=options.wait,
        interval=options.meter_interval,
        minutes=options.minutes,
        power=options.power * 1000,
        password=options.password or os.environ.get("OCPP_PASSWORD") or None,
        seed=options.seed,
        insecure=options.insecure,
        timeout=options.timeout,
        fresh_ids=options.fresh_ids,
        ocpp=options.ocpp,
        flow=options.flow or "id",
        stream=options.stream,
    )


def _simulate(options: argparse.Namespace) -> int:
    if options.id is not None and options.count > 1:
        return _complain("--id names one charger; with --count use --prefix", 2)
    if options.ocpp == "1.6" and len(options.tag) > 20:
        return _complain("a tag of OCPP 1.6 has at most 20 characters", 2)
    if options.ocpp == "1.6" and options.flow is not None:
        return _complain("--flow is for 2.0.1 and 2.1; in 1.6 a transaction begins when both are there", 2)
    if options.ocpp != "2.1" and options.stream:
        return _complain("--stream needs --ocpp 2.1", 2)
    if options.wait and options.transactions:
        return _complain("--wait begins no transactions; leave out --transactions", 2)

    # here and not above: the reactor is installed by its import
    from twisted.internet import reactor
    from twisted.internet.error import ReactorNotRunning
    from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogBeginner
    from zope.interface import provider

    from .simulator.fleet import Fleet
    from .simulator.report import lines
    from .simulator.trace import printer, silent

    running: Any = reactor

    def say(line: str) -> None:
        print(line, flush=True, file=sys.stderr if options.json else sys.stdout)

    @provider(ILogObserver)
    def complain(event: LogEvent) -> None:
        # what is wrong with a certificate is also the reason of a refused connection, in one line
        if event["log_level"] >= LogLevel.error and event.get("log_namespace") != "twisted.internet._sslverify":
            failure = event.get("log_failure")
            _complain(failure.getTraceback() if failure is not None else str(event.get("log_format")))

    globalLogBeginner.beginLoggingTo([complain], redirectStandardIO=False, discardBuffer=True)
    chatty = options.count == 1 and not options.quiet
    fleet = Fleet(reactor, _plan(options), printer(say) if chatty else silent, _complain if options.count == 1 else lambda _: None)
    bar = None if chatty or options.quiet else _bar(fleet, reactor)

    def end(_: object) -> None:
        with suppress(ReactorNotRunning):  # it is stopping already when Ctrl-C was the reason
            running.stop()

    def begin() -> None:
        fleet.start().addBoth(end)

    running.callWhenRunning(begin)
    running.addSystemEventTrigger("before", "shutdown", fleet.stop)  # Ctrl-C comes this way
    running.run()
    if bar is not None:
        bar()
    if fleet.failed is not None and not fleet.tally.connections:
        return _complain(_advice(options.url, fleet.failed))
    summary = fleet.tally.summary(fleet.seconds)
    if options.json:
        print(json.dumps(summary))
    else:
        print("\n".join(([""] if chatty else []) + lines(summary)))
    return 1 if fleet.tally.errors or fleet.failed else 0


def _advice(url: str, why: str) -> str:
    where = f"could not connect to {url}: {why.rstrip('.')}."
    if "HTTP 401" in why:
        return f"{where} Is the password right (OCPP_PASSWORD)?"
    if "HTTP" in why:
        return f"{where} The gateway is there, but does not let this charger in."
    return f"{where} Is the gateway running? Start it with `make run`, or name another with --url."


def _complain(message: str, status: int = 1) -> int:
    print(f"ocpp-tw simulate: {message}", file=sys.stderr, flush=True)
    return status


def _bar(fleet: Fleet, reactor: Any) -> Callable[[], None] | None:
    """A bar on the terminal, if there is one; what to call when it is over."""
    if not sys.stderr.isatty():
        return None
    from tqdm import tqdm
    from twisted.internet.task import LoopingCall

    bar = tqdm(total=len(fleet.plan.ids), unit=" chargers", file=sys.stderr, leave=False, desc="done")

    def show() -> None:
        bar.n = fleet.done
        tally = fleet.tally
        bar.set_postfix_str(f"{tally.connections} connected, {tally.sent} sent, {tally.errors} errors")

    loop = LoopingCall(show)
    loop.clock = reactor
    loop.start(0.25)

    def over() -> None:
        loop.stop()
        bar.close()

    return over


if __name__ == "__main__":
    sys.exit(main())
