"""One of several gateways that share a port: a process whose parent tells it over a pipe what to be, and for how long.

Run as ``python -m ocpp_tw.process.worker`` by `ocpp_tw.process.workers`. Knows nothing of the other workers.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone
from twisted.logger import Logger, globalLogBeginner
from twisted.python.failure import Failure
from twisted.python.reflect import namedModule

from ..log import json_lines
from ..settings import InvalidSetting
from .listening import Endpoints
from .worker_config import CONFIG, LISTENER, LOG, READY, WorkerConfig

log = Logger("ocpp_tw.process.worker")  # which runs as __main__


class Lifeline(FileDescriptor):
    """The pipe from the parent: at its end ``cut`` is called."""

    def __init__(self, reactor: Any, cut: Callable[[], None]) -> None:
        super().__init__(reactor)
        self._cut = cut
        os.set_blocking(CONFIG, False)

    def fileno(self) -> int:
        return CONFIG

    def doRead(self) -> Exception | None:
        with suppress(BlockingIOError):
            if not os.read(CONFIG, 4096):
                return ConnectionDone()
        return None

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self._cut()


def main() -> None:
    """Be what the orders say until told to stop, or until whoever gave them is gone."""
    with open(CONFIG, "rb", buffering=0, closefd=False) as pipe:
        orders = msgspec.json.decode(pipe.readline(), type=WorkerConfig)
    namedModule(orders.reactor).install()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the parent, which tells us
    globalLogBeginner.beginLoggingTo([json_lines(os.fdopen(LOG, "w"))])

    from twisted.internet import reactor

    from .runtime import give_up, on_hangup, prepare, stop
    from .service import GatewayService

    process: Any = reactor
    prepare(process)
    places = Endpoints.lent(process, LISTENER, orders.family, orders.operators)
    failed = Event()

    def fail() -> None:
        failed.set()
        give_up(process)

    try:
        gateway = GatewayService(orders.settings, process, fail, places)
    except InvalidSetting as why:
        log.error("{why}", why=str(why))
        raise SystemExit(1) from None

    def start() -> None:
        gateway.startService()
        assert gateway.started is not None
        gateway.started.addCallback(lambda _: failed.is_set() or os.write(READY, b"."))

    process.addSystemEventTrigger("before", "shutdown", gateway.stopService)
    process.addSystemEventTrigger("after", "shutdown", _tidy, Path(orders.operators).parent)
    on_hangup(process, orders.settings, gateway.reload)
    process.callWhenRunning(start)
    process.callWhenRunning(Lifeline(process, lambda: stop(process)).startReading)
    process.run()


def _tidy(directory: Path) -> None:
    """The last to leave takes the directory along, when the parent could not."""
    with suppress(OSError):
        directory.rmdir()


if __name__ == "__main__":
    main()
