"""Several gateways on one port, each a process of its own that is started, watched and stopped here.

Knows no charger and imports no gateway: what a worker does is `ocpp_tw.process.worker`, and operators' HTTP for all of them `ocpp_tw.operators.fan_out`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger, globalLogPublisher
from twisted.python.failure import Failure

from ..log import event_of
from ..operators.fan_out import FanOut, Peer
from ..settings import Settings, worker_settings
from .listening import SharedPort, at, listen
from .worker_config import CONFIG, LISTENER, LOG, READY, STDERR, WorkerConfig

log = Logger()

RESTART_FIRST, RESTART_LAST = 0.2, 30.0
"""Seconds after which a worker that ended is started again: at first, and at most, when it goes on ending."""

WITHDRAW_AFTER = 1.0
"""Seconds for which chargers wait at the door of a worker that ended; if it takes longer the others have them."""

STABLE_AFTER = 60.0
"""Seconds of service after which an earlier end is forgotten."""

KILL_AFTER = 3.0
"""Seconds beyond `--drain` that a worker has to end by itself."""

LONGEST_LINE = 1 << 20
"""The longest line of a worker's that is waited for, in bytes."""


class WorkerNeverServed(Exception):
    """A worker ended before it had ever served."""


class Worker(ProcessProtocol):
    """One worker, through all its lives; ``ended`` is called at the end of each, with what it died of."""

    def __init__(self, number: int, settings: Settings, path: Path, ended: Callable[[Worker, str], None]) -> None:
        self.number = number
        self.settings = settings
        self.serving = self.proven = self.alive = False
        self.served: Deferred[None] = Deferred()
        self.again: IDelayedCall | None = None
        self._path = path
        self._ended = ended
        self._failures = 0
        self._since = 0.0
        self._rest: dict[int, bytes] = {}
        self._process: Any = None

    @property
    def peer(self) -> Peer:
        """How operators' HTTP finds it."""
        return Peer(self.settings.name, str(self._path), self.serving)

    def spawn(self, reactor: Any, doors: SharedPort) -> None:
        """Live, or live again."""
        door = doors.socket_of(self.number)
        self.again, self._rest = None, {}
        self._path.unlink(missing_ok=True)
        orders = WorkerConfig(self.settings, type(reactor).__module__, int(door.family), str(self._path))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        descriptors = {CONFIG: "w", LOG: "r", STDERR: "r", LISTENER: door.fileno(), READY: "r"}
        command = [sys.executable, "-m", "ocpp_tw.process.worker"]
        self._process = reactor.spawnProcess(self, sys.executable, command, environment, childFDs=descriptors)
        self.alive = True
        self._process.writeToChild(CONFIG, msgspec.json.encode(orders) + b"\n")

    def signal(self, name: str) -> None:
        """Send it a signal, if it lives."""
        with suppress(ProcessExitedAlready):
            self._process.signalProcess(name)

    def delay(self) -> float:
        """Seconds to wait before it lives again."""
        well = self._since > 0 and time.monotonic() - self._since > STABLE_AFTER
        self._failures, self._since = 0 if well else self._failures + 1, 0.0
        return min(RESTART_LAST, RESTART_FIRST * 2.0**self._failures)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == READY:
            self.serving = self.proven = True
            self._since = time.monotonic()
            if not self.served.called:
                self.served.callback(None)
            return
        *lines, rest = (self._rest.get(childFD, b"") + data).split(b"\n")
        self._rest[childFD] = rest[-LONGEST_LINE:]
        for line in lines:
            self._relay(line)

    def _relay(self, line: bytes) -> None:
        """What it logs is logged here, so that twistd's options for the log hold for all."""
        event = event_of(line, worker=self.settings.name)
        event["log_system"] = f"{self.settings.name} {event['log_namespace']}#{event['log_level'].name}"
        globalLogPublisher(event)

    def processEnded(self, reason: Failure) -> None:
        for line in filter(None, self._rest.values()):
            self._relay(line)
        self.serving = self.alive = False
        self._ended(self, reason.getErrorMessage())


class Workers(MultiService):
    """As many gateways as the settings say; ``give_up`` is called when one cannot start at all."""

    def __init__(self, settings: Settings, reactor: Any, give_up: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.stopping = self.complete = self._failing = False
        self._settings = settings
        self._reactor = reactor
        self._give_up = give_up
        self._workers: list[Worker] = []
        self._doors: SharedPort | None = None
        self._http: IListeningPort | None = None
        self._directory: Path | None = None
        self._starting: Deferred[None] | None = None
        self._all_gone: Deferred[None] | None = None

    def peers(self) -> list[Peer]:
        """See `Fleet`."""
        return [each.peer for each in self._workers]

    def startService(self) -> None:
        super().startService()
        self._starting = Deferred.fromCoroutine(self._start()).addErrback(self._failed)

    async def _start(self) -> None:
        settings, reactor = self._settings, self._reactor
        if not settings.redis:
            from .embedded_valkey import find_redis  # which needs the drivers of Redis

            settings = replace(settings, redis=await find_redis(self, reactor, settings.data))
        self._http = await listen(at(settings.http, reactor), FanOut(self, reactor).site(), settings.http, "operators' HTTP")
        self._doors = doors = SharedPort(settings.port, "chargers over TLS" if settings.tls else "chargers", settings.workers)
        self._directory = Path(tempfile.mkdtemp(prefix="ocpp-"))
        for number in range(1, settings.workers + 1):
            self._workers.append(Worker(number, worker_settings(settings, number), self._directory / str(number), self._ended))
        # The first proves the settings: what is wrong with them is said once, and not once by each.
        first, *others = self._workers
        first.spawn(reactor, doors)
        await first.served
        for each in others:
            each.spawn(reactor, doors)
        for each in others:
            await each.served
        self.complete = True
        log.info("{count} workers serve", count=len(self._workers))

    def reload(self) -> None:
        """Have each of them read again what may have changed; one that is about to serve reads it anyway."""
        for each in self._workers:
            if each.serving:
                each.signal("HUP")

    def _failed(self, why: Failure) -> None:
        if not why.check(CancelledError) and not self._failing:
            self._failing = True
            log.error("the gateway cannot start: {why}", why=why.getErrorMessage())
            self._give_up()

    def _ended(self, worker: Worker, why: str) -> None:
        if self.stopping:
            if self._all_gone is not None and not self._alive():
                self._all_gone.callback(None)
        elif not worker.proven:
            self._failed(Failure(WorkerNeverServed(f"its worker {worker.settings.name} ended before it served")))
        else:
            assert self._doors is not None
            delay = worker.delay()
            if delay > WITHDRAW_AFTER:
                self._doors.withdraw(worker.number)
            log.error("{worker} has ended ({why}) and is started again in {delay} s", worker=worker.settings.name, why=why, delay=delay)
            worker.again = self._reactor.callLater(delay, self._revive, worker)

    def _revive(self, worker: Worker) -> None:
        assert self._doors is not None
        try:
            worker.spawn(self._reactor, self._doors)
        except Exception:  # no memory, no process, no descriptor left: later, perhaps
            log.failure("{worker} could not be started", worker=worker.settings.name)
            worker.again = self._reactor.callLater(RESTART_LAST, self._revive, worker)

    def _alive(self) -> list[Worker]:
        return [each for each in self._workers if each.alive]

    async def _stop(self) -> None:
        self.stopping = True
        if self._starting is not None:
            self._starting.cancel()
        if self._http is not None:
            stopped = self._http.stopListening()
            if stopped is not None:
                await stopped
        if self._doors is not None:
            self._doors.close()
        for each in self._workers:
            if each.again is not None:
                each.again.cancel()
        if self._alive():
            self._all_gone = Deferred()
            self._signal("TERM")
            killer = self._reactor.callLater(self._settings.drain + KILL_AFTER, self._kill)
            await self._all_gone
            if killer.active():
                killer.cancel()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _kill(self) -> None:
        log.error("{workers} did not end in time and are killed", workers=", ".join(each.settings.name for each in self._alive()))
        self._signal("KILL")

    def _signal(self, name: str) -> None:
        for each in self._alive():
            each.signal(name)

    def stopService(self) -> Any:
        return Deferred.fromCoroutine(self._stop()).addBoth(self._stop_parts)

    def _stop_parts(self, why: Any) -> Any:
        if isinstance(why, Failure):
            log.failure("while stopping", why)
        return super().stopService()
