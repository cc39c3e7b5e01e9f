"""One of several gateways that share a port: a process that reads its configuration from a pipe, and stops when its parent ends.

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
from ..operators.failed_logins import FailedLogin
from ..settings import InvalidSetting
from .listening import Endpoints
from .worker_config import CONFIG, LISTENER, LOG, READY, WorkerConfig

log = Logger("ocpp_tw.process.worker")  # which runs as __main__


class ParentPipe(FileDescriptor):
    """The pipe from the parent; ``told`` is called with each line that comes, ``parent_ended`` when it is closed."""

    def __init__(self, reactor: Any, told: Callable[[bytes], None], parent_ended: Callable[[], None]) -> None:
        super().__init__(reactor)
        self._told = told
        self._parent_ended = parent_ended
        self._partial = b""
        os.set_blocking(CONFIG, False)

    def fileno(self) -> int:
        return CONFIG

    def doRead(self) -> Exception | None:
        with suppress(BlockingIOError):
            read = os.read(CONFIG, 4096)
            if not read:
                return ConnectionDone()
            *lines, self._partial = (self._partial + read).split(b"\n")
            for line in lines:
                self._told(line)
        return None

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self._parent_ended()


def main() -> None:
    """Run a gateway with the configuration from the parent, until a signal or the parent's end."""
    with open(CONFIG, "rb", buffering=0, closefd=False) as pipe:
        config = msgspec.json.decode(pipe.readline(), type=WorkerConfig)
    namedModule(config.reactor).install()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the parent, which then stops its workers
    globalLogBeginner.beginLoggingTo([json_lines(os.fdopen(LOG, "w"))])

    from twisted.internet import reactor

    from .runtime import give_up, on_hangup, prepare, stop
    from .service import GatewayService

    process: Any = reactor
    prepare(process)
    endpoints = Endpoints.adopted(process, LISTENER, config.family, config.operators)
    failed = Event()

    def fail() -> None:
        failed.set()
        give_up(process)

    try:
        gateway = GatewayService(config.settings, process, fail, endpoints, config.front)
    except InvalidSetting as why:
        log.error("{why}", why=str(why))
        raise SystemExit(1) from None

    def start() -> None:
        gateway.startService()
        assert gateway.started is not None
        gateway.started.addCallback(lambda _: failed.is_set() or os.write(READY, b"."))

    process.addSystemEventTrigger("before", "shutdown", gateway.stopService)
    process.addSystemEventTrigger("after", "shutdown", _remove_directory, Path(config.operators).parent)
    on_hangup(process, config.settings, gateway.reload)
    process.callWhenRunning(start)

    def told(line: bytes) -> None:
        try:
            gateway.login_failed(msgspec.json.decode(line, type=FailedLogin))
        except Exception:
            log.failure("what the front tells cannot be published")  # which is no reason to end, as the end of the pipe is

    process.callWhenRunning(ParentPipe(process, told, lambda: stop(process)).startReading)
    process.run()


def _remove_directory(directory: Path) -> None:
    """The last worker to end removes the directory, in case the parent could not."""
    with suppress(OSError):
        directory.rmdir()


if __name__ == "__main__":
    main()
