"""``twistd ocpp``: options and environment become settings, and settings a service.

The one place that reads argv and the environment.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dotenv import dotenv_values
from twisted.application.service import IService
from twisted.python.usage import Options as TwistedOptions
from twisted.python.usage import UsageError

from .process import garbage, tuning
from .settings import TABLE, Settings, Wrong, longest, read


class Options(TwistedOptions):
    """What ``twistd ocpp --help`` shows, made from the table of settings."""

    optParameters = [  # noqa: RUF012  # Twisted's way
        [row.name.replace("_", "-"), "p" if row.name == "port" else None, None, f"{row.meaning} [{row.variable}, default: {row.default}]"]
        for row in TABLE
    ]

    settings: Settings

    def postOptions(self) -> None:
        """Read the settings, so that a wrong one ends the program before anything listens."""
        environment = {name: value for name, value in dotenv_values(".env").items() if value is not None} | dict(os.environ)
        given = {name.replace("-", "_"): value for name, value in self.items()}
        try:
            settings = read(given, environment)
        except Wrong as why:
            raise UsageError(str(why)) from None
        if not settings.name:
            settings = replace(settings, name=f"{socket.gethostname()}:{settings.port.port}"[: longest(settings.workers)])
        self.settings = settings


def makeService(options: Options) -> IService:
    """The gateway, ready to be started; or what looks after several, which are processes of their own."""
    from twisted.internet import reactor

    prepare(reactor)
    if options.settings.workers > 1:
        from .process.workers import Workers  # who looks after gateways needs no gateway's memory

        workers = Workers(options.settings, reactor, lambda: give_up(reactor))
        on_hangup(reactor, options.settings, workers.reload)
        return workers
    from .process.service import GatewayService

    try:
        gateway = GatewayService(options.settings, reactor, lambda: give_up(reactor))
    except Wrong as why:
        raise SystemExit(f"twistd ocpp: {why}") from None
    on_hangup(reactor, options.settings, gateway.reload)
    return gateway


def prepare(reactor: Any) -> None:
    """What a reactor needs to be fit for a gateway, in whichever process."""
    tuning.shorten(reactor)
    reactor.seconds = time.monotonic  # or a step of the clock fires every timer at once, or none for an hour
    reactor.callWhenRunning(garbage.settle)
    reactor.callWhenRunning(signal.signal, signal.SIGTERM, lambda *_: reactor.callFromThread(stop, reactor))


def on_hangup(reactor: Any, settings: Settings, reload: Callable[[], None]) -> None:
    """What SIGHUP does where there is something to read again; elsewhere it ends the process, as ever."""
    if settings.tls and hasattr(signal, "SIGHUP"):
        reactor.callWhenRunning(signal.signal, signal.SIGHUP, lambda *_: reactor.callFromThread(reload))


def stop(reactor: Any) -> None:
    """What SIGTERM does here. Twisted's own handler would end the process by the signal, as if it had failed to stop."""
    if reactor.running and not getattr(reactor, "_stopped", False):
        reactor.stop()


def give_up(reactor: Any) -> None:
    """End with status 1; twistd itself has no way to say so from inside a service."""
    reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
    if reactor.running:
        reactor.stop()
    else:
        reactor.callWhenRunning(reactor.stop)
