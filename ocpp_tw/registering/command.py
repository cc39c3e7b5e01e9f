"""``ocpp-tw chargers``: the options and what is printed.

Returns the exit status: 0 success, 1 if anything failed, 2 wrong usage. Prints no password unless it is asked to.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ..option_types import certificates, operators_url


def add_chargers(commands: Any) -> None:
    """Add the command with its own ones."""
    chargers = commands.add_parser(
        "chargers", help="register chargers, show them, remove them", description="Chargers of a running gateway."
    )
    actions = chargers.add_subparsers(dest="action", metavar="ACTION", required=True)
    load = actions.add_parser(
        "import",
        help="register the chargers of a CSV file",
        description="Register the chargers of a CSV file: the first line names its columns, id and any of password (or `generate`), security_profile,"
        " certificate, boot_status, version. All of it is checked before anything is sent.",
    )
    load.set_defaults(run=_import)
    load.add_argument("file", metavar="FILE.csv", type=Path)
    load.add_argument("--check", action="store_true", help="only check the file, and send nothing")
    load.add_argument("--out", metavar="FILE", help="the new file for generated passwords (CSV; only you may read it)")
    load.add_argument("--show-passwords", action="store_true", help="print generated passwords instead")
    load.add_argument(
        "--connections", type=int, choices=range(1, 17), default=4, metavar="N", help="connections to the gateway (%(default)s)"
    )
    listed = actions.add_parser("list", help="list the chargers that are connected")
    listed.set_defaults(run=_list)
    listed.add_argument("--registered", action="store_true", help="those that are registered instead, connected or not")
    shown = actions.add_parser("show", help="show one charger as JSON")
    shown.set_defaults(run=_show)
    removed = actions.add_parser("remove", help="take back all that was decided about chargers, their passwords among it")
    removed.set_defaults(run=_remove)
    shown.add_argument("id", metavar="ID")
    removed.add_argument("id", metavar="ID", nargs="+")
    adopted = actions.add_parser(
        "adopt-key",
        help="have passwords stored under this gateway's --credentials-key from now on",
        description="Have the fleet's passwords stored under this gateway's --credentials-key from now on, when the key of before is lost."
        " Chargers with a password do not come in until theirs is imported again.",
    )
    adopted.set_defaults(run=_adopt)
    for each in (load, listed, shown, removed, adopted):
        add_gateway(each)


def add_gateway(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which gateway is asked, and how."""
    add = parser.add_argument
    add("--url", type=operators_url, default="http://127.0.0.1:10801", help="operators' HTTP of the gateway (%(default)s)")
    add("--token", help="the token for it; better in the environment or in .env, as HTTP_TOKEN")
    add("--ca", metavar="FILE", type=certificates, help="the authority of its certificate (PEM), if the system does not know it")


def _client(options: argparse.Namespace) -> Any:
    from .client import Client

    return Client(options.url, token_of(options), options.ca)


def token_of(options: argparse.Namespace) -> str:
    """The token that was given, or that of the environment or of .env."""
    from dotenv import dotenv_values

    if options.token is not None:
        return str(options.token)
    return os.environ.get("HTTP_TOKEN") or dotenv_values(".env").get("HTTP_TOKEN") or ""


def _import(options: argparse.Namespace) -> int:
    from .importing import NOT_TRIED, Import, Passwords
    from .table import WrongFile, read

    try:
        rows = read(options.file)
    except WrongFile as why:
        _complain("import", f"{options.file}: nothing was sent", why.faults)
        return 1
    generated = sum(row.generated for row in rows)
    if options.check:
        print(f"{options.file}: {len(rows)} chargers, {generated} with a password to be generated; nothing is wrong with it")
        return 0
    if generated and not options.out and not options.show_passwords:
        _complain("import", f"{generated} passwords are to be generated: name a new file for them with --out FILE, or use --show-passwords")
        return 2
    kept, made = None, list[Any]()
    if generated and options.out:
        try:
            kept = Passwords(options.out)
        except OSError as why:
            _complain("import", f"--out: {options.out}: {why.strerror}")
            return 2
    with contextlib.closing(_bar(len(rows))) as bar, contextlib.closing(kept) if kept else contextlib.nullcontext():
        importing = Import(lambda: _client(options), options.connections, kept.keep if kept else made.append, bar.update)
        outcomes = importing.run(rows)
    for row in made if options.show_passwords else ():
        if row.generated:
            print(f"{row.id},{row.decision['password']}")
    failed = [each for each in outcomes if each.why]
    if failed:
        tried = [f"line {each.row.line}: {each.row.id}: {each.why}" for each in failed if each.why != NOT_TRIED]
        others = f", {len(failed) - len(tried)} of them not tried" if len(tried) < len(failed) else ""
        _complain("import", f"{len(failed)} of {len(rows)} were not registered{others}", tried)
    print(f"{len(outcomes) - len(failed)} chargers registered" + (f", generated passwords are in {options.out}" if kept else ""))
    return 1 if failed else 0


def _bar(total: int) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, unit=" chargers", file=sys.stderr, leave=False, disable=None if sys.stderr.isatty() else True)


def _list(options: argparse.Namespace) -> int:
    if options.registered:
        return _list_registered(options)
    answer = _ask(options, "GET", "/api/chargers")
    if answer is None:
        return 1
    for each in sorted(answer, key=lambda each: each["id"]):
        print(f"{each['id']}\t{each['ocpp']}\tprofile {each['security_profile']}\t{each['registration'] or '-'}\t{each['remote_address']}")
    return 0


def _list_registered(options: argparse.Namespace) -> int:
    after: str | None = ""
    while after is not None:
        page = _ask(options, "GET", f"/api/registered?{urlencode({'limit': 1000, 'after': after})}")
        if page is None:
            return 1
        for each in page["chargers"]:
            has = "certificate" if each["certificate"] else "password" if each["password"] else "-"
            print(f"{each['id']}\tleast profile {each['least_security_profile']}\t{has}\t{each['boot_status'] or '-'}")
        after = page["next"]
    return 0


def _show(options: argparse.Namespace) -> int:
    from .client import path_of

    answer = _ask(options, "GET", path_of(options.id))
    if answer is None:
        return 1
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 0


def _remove(options: argparse.Namespace) -> int:
    from .client import path_of

    failed = [id for id in options.id if _ask(options, "DELETE", path_of(id), f"{id}: ") is None]
    return 1 if failed else 0


def _adopt(options: argparse.Namespace) -> int:
    answer = _ask(options, "POST", "/api/credentials-key")
    if answer is None:
        return 1
    print(
        f"passwords are stored under the key {answer['id']} from now on: every gateway of the fleet needs it, and every charger its password again"
    )
    return 0


def _ask(options: argparse.Namespace, method: str, path: str, about: str = "") -> Any:
    """The JSON of the answer; None where there is none of use, which has been said."""
    from .client import Unreachable

    try:
        answer = _client(options).ask(method, path)
    except Unreachable as why:
        _complain(options.action, str(why))
        return None
    if answer.status == 200:
        return answer.body
    _complain(options.action, f"{about}{answer.why}")
    return None


def _complain(action: str, message: str, faults: Any = ()) -> None:
    """Every fault is told: each names its line, and a script may read them."""
    print(f"ocpp-tw chargers {action}: {message}", *faults, sep="\n  ", file=sys.stderr, flush=True)
