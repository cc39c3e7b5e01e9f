"""Runs a fleet as a program: starts the reactor, shows progress, prints the summary, and returns the exit status.

Importing this module installs the reactor. Knows nothing of the command line's options.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, cast

from twisted.internet import reactor as installed_reactor
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogBeginner
from zope.interface import provider

from .fleet import Fleet, Plan
from .report import lines
from .trace import printer, silent

reactor = cast(Any, installed_reactor)

PROGRESS_INTERVAL = 0.25
"""Real seconds between two updates of the progress bar."""

CERTIFICATE_LOG = "twisted.internet._sslverify"
"""The namespace whose errors are not printed: an untrusted certificate is also the reason of a failed attempt to connect, in one line."""


def run(plan: Plan, complain: Callable[[str], object], *, as_json: bool = False, quiet: bool = False) -> int:
    """Run the plan to its end, or until Ctrl-C; the exit status. ``complain`` is called with each line about an error."""
    single = len(plan.ids) == 1
    show_messages = single and not quiet
    _complain_of_logged_errors(complain)
    write = partial(print, flush=True, file=sys.stderr if as_json else sys.stdout)
    fleet = Fleet(reactor, plan, printer(write) if show_messages else silent, complain if single else lambda _: None)
    close_bar = None if show_messages or quiet else _progress_bar(fleet)
    _run_reactor(fleet)
    if close_bar is not None:
        close_bar()
    if fleet.failed is not None and not fleet.tally.connections:
        complain(_advice(plan.url, fleet.failed))
        return 1
    summary = fleet.tally.summary(fleet.seconds)
    print(json.dumps(summary) if as_json else "\n".join(([""] if show_messages else []) + lines(summary)))
    return 1 if fleet.tally.errors or fleet.failed else 0


def _complain_of_logged_errors(complain: Callable[[str], object]) -> None:
    @provider(ILogObserver)
    def observer(event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.error and event.get("log_namespace") != CERTIFICATE_LOG:
            failure = event.get("log_failure")
            complain(failure.getTraceback() if failure is not None else str(event.get("log_format")))

    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)


def _run_reactor(fleet: Fleet) -> None:
    """Return when the fleet is done, or has stopped after Ctrl-C."""

    def stop(_: object) -> None:
        with suppress(ReactorNotRunning):  # after Ctrl-C it is stopping already
            reactor.stop()

    reactor.callWhenRunning(lambda: fleet.start().addBoth(stop))
    reactor.addSystemEventTrigger("before", "shutdown", fleet.stop)  # Ctrl-C begins with this
    reactor.run()


def _advice(url: str, why: str) -> str:
    failure = f"could not connect to {url}: {why.rstrip('.')}."
    if "HTTP 401" in why:
        return f"{failure} Is the password right (OCPP_PASSWORD), and is --security-profile the gateway's?"
    if "certificate verify failed" in why:
        return f"{failure} Name the CA of the gateway's certificate with --ca, or accept any certificate with --insecure."
    if "TLS failed" in why and "alert" in why:
        return f"{failure} The gateway is there, but refuses this charger's certificate, or that it has none: see --certificate."
    if "HTTP" in why:
        return f"{failure} The gateway is there, but refuses this charger."
    return f"{failure} Is the gateway running? Start it with `make run`, or name another with --url."


def _progress_bar(fleet: Fleet) -> Callable[[], None] | None:
    """A bar on the terminal, if there is one; the function that removes it."""
    if not sys.stderr.isatty():
        return None
    from tqdm import tqdm

    bar = tqdm(total=len(fleet.plan.ids), unit=" chargers", file=sys.stderr, leave=False, desc="done")

    def show() -> None:
        bar.n = fleet.done
        tally = fleet.tally
        bar.set_postfix_str(f"{tally.connections} connected, {tally.sent} sent, {tally.errors} errors")

    loop = LoopingCall(show)
    loop.clock = reactor
    loop.start(PROGRESS_INTERVAL)

    def close() -> None:
        loop.stop()
        bar.close()

    return close
