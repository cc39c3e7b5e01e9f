"""``ocpp-tw``: the command line for developers and operators of the gateway; ``simulate`` plays chargers, ``health`` asks a gateway,
``token`` makes one for operators' HTTP, ``ca`` an authority for chargers' certificates, ``chargers`` registers chargers at a gateway,
``status`` shows the overview of its fleet,
``schema`` prints the contract for machines, ``tap`` shows what chargers and a gateway say, ``replay`` plays it again.

Reads argv and the environment and returns the exit status: 0 success, 1 errors, 2 wrong usage. Knows nothing of OCPP.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from . import __version__
from .contract.command import add_schema
from .operators.roles import Role
from .option_types import chargers_url, number
from .registering.command import add_chargers
from .registering.status import add_status
from .simulator.security_options import UnusableFile, add_security_options, security_mistake, security_of_plan
from .tapping.command import add_tap

if TYPE_CHECKING:
    from .simulator.fleet import Plan


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = Parser(prog="ocpp-tw", description="Tools for the OCPP gateway.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_simulate(commands)
    _add_health(commands)
    _add_token(commands)
    _add_ca(commands)
    add_chargers(commands)
    add_status(commands)
    add_schema(commands)
    add_tap(commands)
    arguments = parser.parse_args(argv)
    return int(arguments.run(arguments))


class Parser(argparse.ArgumentParser):
    """An argument parser that reports an error in one line."""

    def error(self, message: str) -> Any:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _tag(text: str) -> str:
    if not 0 < len(text) <= 36:
        raise argparse.ArgumentTypeError("a tag has 1 to 36 characters")
    return text


def _add_simulate(commands: Any) -> None:
    whole, decimal = partial(number, int), partial(number, float)
    simulate = commands.add_parser(
        "simulate",
        help="simulate a charger, or a thousand",
        description="Simulate an OCPP charger, or many: each connects, boots, charges a car and disconnects. Exit status 1 after any error.",
    )
    simulate.set_defaults(run=_simulate)
    add = simulate.add_argument
    add("--url", type=chargers_url, default="ws://127.0.0.1:10800/", help="URL of the gateway; the charger's id is appended (%(default)s)")
    add("--id", help="id of the charger, if there is only one (charger-001)")
    add("--prefix", default="charger-", help="prefix of the ids, before a number, if there are several (%(default)s)")
    add("--count", type=whole(1, 100_000), default=1, metavar="N", help="number of chargers (%(default)s)")
    add("--connectors", type=whole(1, 100), default=1, metavar="N", help="number of connectors of each charger (%(default)s)")
    add(
        "--duration",
        type=decimal(0.1, 1e7),
        metavar="SECONDS",
        help="duration of the run in real time (until the transactions are done)",
    )
    add("--speed-up", type=decimal(0.01, 10_000), default=60.0, metavar="X", help="simulated seconds per real second (%(default)g)")
    add("--ocpp", choices=("1.6", "2.0.1", "2.1"), default="1.6", help="OCPP version of the chargers (%(default)s)")
    add("--flow", choices=("id", "plug"), help="2.x: what a driver does first, present the tag (id, the default) or plug in (plug)")
    add("--stream", action="store_true", help="2.1: stream the power of the first EVSE")
    add("--rate", type=decimal(0.01, 10_000), default=100.0, metavar="N", help="new connections per second (%(default)g)")
    add("--tag", type=_tag, default="RFID-12345", help="tag that drivers present (%(default)s)")
    add(
        "--transactions",
        type=whole(0, 1_000_000),
        metavar="N",
        help="transactions of each charger (1; with --duration: as many as there is time for)",
    )
    add("--minutes", type=decimal(0.1, 10_000), default=30.0, metavar="M", help="simulated duration of a transaction (%(default)g)")
    add("--wait", action="store_true", help="begin no transactions: only connect and execute commands, until --duration or Ctrl-C")
    add(
        "--meter-interval",
        type=whole(0, 86_400),
        default=120,
        metavar="SECONDS",
        help="simulated seconds between meter values (%(default)s)",
    )
    add("--power", type=decimal(0.1, 1000), default=22.0, metavar="KW", help="power of each connector; more than 43 is DC (%(default)g)")
    add("--timeout", type=decimal(0.1, 3600), default=30.0, metavar="SECONDS", help="timeout of a CALL in real time (%(default)g)")
    add_security_options(add, chargers_url)
    add("--fresh-ids", action="store_true", help="send an unanswered message again under a new message id (default: the same)")
    add("--seed", type=whole(0, 2**63), metavar="N", help="seed of the random numbers, to repeat a run exactly")
    add("--json", action="store_true", help="print the summary as JSON")
    add("--quiet", action="store_true", help="print only errors and the summary")


def _add_health(commands: Any) -> None:
    health = commands.add_parser(
        "health",
        help="ask the gateway on this machine whether it lives",
        description="Ask the gateway on this machine whether it lives (GET /healthz), where --http, HTTP_ADDR or a file .env says. Exit status 1 if not.",
    )
    health.set_defaults(run=_health)
    health.add_argument("--http", metavar="ADDR", help="where operators' HTTP is, as the gateway has it")
    health.add_argument("--pid", type=int, help="the process whose options say where, if --http does not; 1 in a container")


def _health(options: argparse.Namespace) -> int:
    from dotenv import dotenv_values

    from .process.health import alive, arguments_of, operators_address
    from .settings import InvalidSetting

    try:
        arguments = [] if options.pid is None else arguments_of(options.pid)
        arguments += [] if options.http is None else ["--http", options.http]
        where = operators_address(arguments, {name: value or "" for name, value in dotenv_values(".env").items()} | dict(os.environ))
    except (InvalidSetting, OSError) as why:
        print(f"ocpp-tw health: {why}", file=sys.stderr)
        return 2
    answers = alive(where)
    print(f"{where}: {'alive' if answers else 'no answer'}")
    return 0 if answers else 1


def _add_token(commands: Any) -> None:
    token = commands.add_parser(
        "token",
        help="make a token for operators' HTTP",
        description="Make a random token for operators' HTTP, and the line for the file of --http-tokens, which does not have the token itself.",
    )
    token.set_defaults(run=_token)
    token.add_argument("name", metavar="NAME", help="who is to have it: letters, digits or any of _ . @ -")
    token.add_argument("role", metavar="ROLE", choices=tuple(Role.__members__), help="what it is good for: metrics, read, command or admin")


def _token(options: argparse.Namespace) -> int:
    from .operators.tokens import NAME, new_token

    if not NAME.fullmatch(options.name):
        print("ocpp-tw token: a name has 1 to 64 letters, digits or any of _ . @ -", file=sys.stderr)
        return 2
    token, line = new_token(options.name, Role[options.role])
    print(f"token, which is shown only now: {token}\nline for --http-tokens: {line}")
    return 0


def _add_ca(commands: Any) -> None:
    ca = commands.add_parser("ca", help="make an authority for chargers' certificates")
    init = ca.add_subparsers(dest="what", metavar="init", required=True).add_parser(
        "init",
        help="make a new one",
        description="Make an authority for chargers' certificates (EC P-256, for ten years): DIR/ca.pem with its key for --ca, and "
        "DIR/root.pem, its certificate alone, for --tls-client-ca. What is there already is left as it is.",
    )
    init.set_defaults(run=_ca_init)
    init.add_argument("directory", metavar="DIR", help="where to put the files; it is made if it is not there")
    init.add_argument("--name", default="Charging stations CA", help="its common name (%(default)s)")
    init.add_argument("--organization", default="", help="its organization, if any")


def _ca_init(options: argparse.Namespace) -> int:
    from pathlib import Path

    from .process.authority_files import make_authority

    try:
        both, root = make_authority(Path(options.directory), options.name, options.organization)
    except OSError as why:
        print(f"ocpp-tw ca init: {why.filename}: {why.strerror}", file=sys.stderr)
        return 1
    except ValueError as why:
        print(f"ocpp-tw ca init: --name or --organization: {why}", file=sys.stderr)
        return 2
    print(f"{both}: certificate and key, for --ca; keep it secret\n{root}: certificate, for --tls-client-ca and for chargers")
    return 0


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
        seed=options.seed,
        timeout=options.timeout,
        fresh_ids=options.fresh_ids,
        ocpp=options.ocpp,
        flow=options.flow or "id",
        stream=options.stream,
        **security_of_plan(options, ids),
    )


def _simulate(options: argparse.Namespace) -> int:
    mistake = _mistake(options)
    if mistake is not None:
        _complain(mistake)
        return 2
    try:
        plan = _plan(options)
    except UnusableFile as why:
        _complain(str(why))
        return 2
    from .simulator.run import run  # here and not above: it installs the reactor

    return run(plan, _complain, as_json=options.json, quiet=options.quiet)


def _mistake(options: argparse.Namespace) -> str | None:
    """Why these options cannot be used together."""
    if options.id is not None and options.count > 1:
        return "--id names one charger; with --count use --prefix"
    if options.ocpp == "1.6" and len(options.tag) > 20:
        return "a tag of OCPP 1.6 has at most 20 characters"
    if options.ocpp == "1.6" and options.flow is not None:
        return "--flow is for 2.0.1 and 2.1; in 1.6 a transaction begins when tag and plug are both there"
    if options.ocpp != "2.1" and options.stream:
        return "--stream needs --ocpp 2.1"
    if options.wait and options.transactions:
        return "--wait begins no transactions; leave out --transactions"
    return security_mistake(options)


def _complain(message: str) -> None:
    print(f"ocpp-tw simulate: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
