"""``twistd ocpp``: makes settings of options and environment, and a service of settings.

The one module that reads argv and the environment; knows nothing of what the service does.
"""

from __future__ import annotations

import os
import socket
from dataclasses import replace

from dotenv import dotenv_values
from twisted.application.service import IService
from twisted.python.usage import Options as TwistedOptions
from twisted.python.usage import UsageError

from .process.runtime import give_up, on_hangup, prepare
from .read_settings import read
from .settings import TABLE, InvalidSetting, Settings, max_name_length


class Options(TwistedOptions):
    """The options that ``twistd ocpp --help`` shows, made from the table of settings."""

    optParameters = [  # noqa: RUF012  # Twisted's way
        [
            row.name.replace("_", "-"),
            "p" if row.name == "port" else None,
            None,
            f"{row.meaning} [{row.variable}{row.typed and f', default: {row.typed}'}]",
        ]
        for row in TABLE
    ]

    settings: Settings

    def postOptions(self) -> None:
        """Read the settings, so that an invalid one ends the program before anything listens."""
        environment = {name: value for name, value in dotenv_values(".env").items() if value is not None} | dict(os.environ)
        given = {name.replace("-", "_"): value for name, value in self.items()}
        try:
            settings = read(given, environment)
        except InvalidSetting as why:
            raise UsageError(str(why)) from None
        if not settings.name:
            settings = replace(settings, name=f"{socket.gethostname()}:{settings.port.port}"[: max_name_length(settings.workers)])
        self.settings = settings


def makeService(options: Options) -> IService:
    """The gateway, ready to be started; or the parent of several, each a process of its own."""
    from twisted.internet import reactor

    prepare(reactor)
    if options.settings.workers > 1:
        from .process.workers import (
            Workers,  # imported only if needed: a parent of workers stays small without the gateway, which is imported below
        )

        try:
            workers = Workers(options.settings, reactor, lambda: give_up(reactor))
        except InvalidSetting as why:
            raise SystemExit(f"twistd ocpp: {why}") from None
        on_hangup(reactor, options.settings, workers.reload)
        return workers
    from .process.service import GatewayService

    try:
        gateway = GatewayService(options.settings, reactor, lambda: give_up(reactor))
    except InvalidSetting as why:
        raise SystemExit(f"twistd ocpp: {why}") from None
    on_hangup(reactor, options.settings, gateway.reload)
    return gateway
