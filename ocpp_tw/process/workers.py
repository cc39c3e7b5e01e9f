"""Several gateways on one port, each in a process of its own: starts, restarts and stops them.

Knows no charger and imports no gateway, to stay small: a worker is `ocpp_tw.process.worker`, operators' HTTP for all of them
`ocpp_tw.operators.fan_out`.
"""

from __future__ import annotations

import os
import shutil
import sys
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
from ..operators.fan_out import FanOut
from ..operators.merge import WorkerEndpoint
from ..settings import Settings, worker_settings
from .listening import SharedPort, chargers_of, endpoint_at, listen, socket_directory
from .worker_config import CONFIG, LISTENER, LOG, READY, STDERR, WorkerConfig

log = Logger()

MIN_RESTART_DELAY, MAX_RESTART_DELAY = 0.2, 30.0
"""Seconds before a worker that ended is restarted: doubled from the first with each end in succession, at most the second."""

WITHDRAW_AFTER = 1.0
"""Longest restart delay, in seconds, for which new connections wait for a worker that ended; with a longer one the others get them."""

STABLE_AFTER = 60.0
"""Seconds of service after which earlier ends no longer count for the restart delay."""

KILL_AFTER = 3.0
"""Seconds beyond `--drain` that a worker has to end by itself; then it is killed."""

MAX_LINE = 1 << 20
"""Longest line of a worker's log, in bytes; of a longer one only the end is kept."""


class WorkerNeverServed(Exception):
    """A worker ended before it had ever served."""


class Worker(ProcessProtocol):
    """One worker and its successive processes; ``ended`` is called at the end of each, with the reason."""

    def __init__(self, number: int, settings: Settings, path: Path, ended: Callable[[Worker, str], None]) -> None:
        self.number = number
        self.settings = settings
        self.serving = self.has_served = self.running = False
        self.served: Deferred[None] = Deferred()
        self.restart_timer: IDelayedCall | None = None
        self._path = path
        self._ended = ended
        self._failures = 0
        self._serving_since = 0.0
        self._partial: dict[int, bytes] = {}
        self._process: Any = None

    @property
    def endpoint(self) -> WorkerEndpoint:
        """Where operators' HTTP reaches it."""
        return WorkerEndpoint(self.settings.name, str(self._path), self.serving)

    def spawn(self, reactor: Any, port: SharedPort) -> None:
        """Start its process, or the next one."""
        listener = port.socket_of(self.number)
        self.restart_timer, self._partial = None, {}
        self._path.unlink(missing_ok=True)
        config = WorkerConfig(self.settings, type(reactor).__module__, int(listener.family), str(self._path))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        descriptors = {CONFIG: "w", LOG: "r", STDERR: "r", LISTENER: listener.fileno(), READY: "r"}
        command = [sys.executable, "-m", "ocpp_tw.process.worker"]
        self._process = reactor.spawnProcess(self, sys.executable, command, environment, childFDs=descriptors)
        self.running = True
        self._process.writeToChild(CONFIG, msgspec.json.encode(config) + b"\n")

    def signal(self, name: str) -> None:
        """Send it a signal, if it is running."""
        with suppress(ProcessExitedAlready):
            self._process.signalProcess(name)

    def delay(self) -> float:
        """Seconds to wait before the restart."""
        stable = self._serving_since > 0 and time.monotonic() - self._serving_since > STABLE_AFTER
        self._failures, self._serving_since = 0 if stable else self._failures + 1, 0.0
        return min(MAX_RESTART_DELAY, MIN_RESTART_DELAY * 2.0**self._failures)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == READY:
            self.serving = self.has_served = True
            self._serving_since = time.monotonic()
            if not self.served.called:
                self.served.callback(None)
            return
        *lines, partial = (self._partial.get(childFD, b"") + data).split(b"\n")
        self._partial[childFD] = partial[-MAX_LINE:]
        for line in lines:
            self._relay(line)

    def _relay(self, line: bytes) -> None:
        """Log its line here, so that twistd's logging options apply to all workers."""
        event = event_of(line, worker=self.settings.name)
        event["log_system"] = f"{self.settings.name} {event['log_namespace']}#{event['log_level'].name}"
        globalLogPublisher(event)

    def processEnded(self, reason: Failure) -> None:
        for line in filter(None, self._partial.values()):
            self._relay(line)
        self.serving = self.running = False
        self._ended(self, reason.getErrorMessage())


class Workers(MultiService):
    """As many gateways as the settings say; ``give_up`` is called when they cannot start at all."""

    def __init__(self, settings: Settings, reactor: Any, give_up: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.stopping = self.complete = self._failing = False
        self._settings = settings
        self._reactor = reactor
        self._give_up = give_up
        self._workers: list[Worker] = []
        self._port: SharedPort | None = None
        self._http: IListeningPort | None = None
        self._directory: Path | None = None
        self._starting: Deferred[None] | None = None
        self._all_ended: Deferred[None] | None = None

    def endpoints(self) -> list[WorkerEndpoint]:
        """See `WorkerPool`."""
        return [worker.endpoint for worker in self._workers]

    def startService(self) -> None:
        super().startService()
        self._starting = Deferred.fromCoroutine(self._start()).addErrback(self._failed)

    async def _start(self) -> None:
        settings, reactor = self._settings, self._reactor
        if not settings.redis:
            from .find_redis import find_redis  # imported only if needed: it brings the Redis drivers with it

            settings = replace(settings, redis=await find_redis(self, reactor, settings.data))
        site = FanOut(self, reactor).site(settings.http_token, settings.http_connections)
        self._http = await listen(endpoint_at(settings.http, reactor), site, settings.http, "operators' HTTP")
        self._port = port = SharedPort(settings.port, chargers_of(settings), settings.workers)
        self._directory = socket_directory()
        for number in range(1, settings.workers + 1):
            self._workers.append(Worker(number, worker_settings(settings, number), self._directory / str(number), self._ended))
        # The first one alone, since it proves the settings: an error in them is logged once, not once per worker.
        first, *others = self._workers
        first.spawn(reactor, port)
        await first.served
        for worker in others:
            worker.spawn(reactor, port)
        for worker in others:
            await worker.served
        self.complete = True
        log.info("workers serve: {count}", count=len(self._workers))

    def reload(self) -> None:
        """Make each worker reload its certificate; one that does not serve yet loads it when it starts."""
        for worker in self._workers:
            if worker.serving:
                worker.signal("HUP")

    def _failed(self, why: Failure) -> None:
        if not why.check(CancelledError) and not self._failing:
            self._failing = True
            log.error("gateway cannot start: {why}", why=why.getErrorMessage())
            self._give_up()

    def _ended(self, worker: Worker, why: str) -> None:
        if self.stopping:
            if self._all_ended is not None and not self._running():
                self._all_ended.callback(None)
        elif not worker.has_served:
            self._failed(Failure(WorkerNeverServed(f"worker {worker.settings.name} ended before it served")))
        else:
            assert self._port is not None
            delay = worker.delay()
            if delay > WITHDRAW_AFTER:
                self._port.withdraw(worker.number)
            log.error("worker ended: {worker} ({why}), restart in {delay} s", worker=worker.settings.name, why=why, delay=delay)
            worker.restart_timer = self._reactor.callLater(delay, self._restart, worker)

    def _restart(self, worker: Worker) -> None:
        assert self._port is not None
        try:
            worker.spawn(self._reactor, self._port)
        except Exception:  # out of memory, processes or descriptors: try again later
            log.failure("worker could not be started: {worker}", worker=worker.settings.name)
            worker.restart_timer = self._reactor.callLater(MAX_RESTART_DELAY, self._restart, worker)

    def _running(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.running]

    async def _stop(self) -> None:
        self.stopping = True
        if self._starting is not None:
            self._starting.cancel()
        if self._http is not None:
            stopped = self._http.stopListening()
            if stopped is not None:
                await stopped
        if self._port is not None:
            self._port.close()
        for worker in self._workers:
            if worker.restart_timer is not None:
                worker.restart_timer.cancel()
        if self._running():
            self._all_ended = Deferred()
            self._signal("TERM")
            killer = self._reactor.callLater(self._settings.drain + KILL_AFTER, self._kill)
            await self._all_ended
            if killer.active():
                killer.cancel()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _kill(self) -> None:
        log.error(
            "workers killed, since they did not end in time: {workers}", workers=", ".join(each.settings.name for each in self._running())
        )
        self._signal("KILL")

    def _signal(self, name: str) -> None:
        for worker in self._running():
            worker.signal(name)

    def stopService(self) -> Any:
        return Deferred.fromCoroutine(self._stop()).addBoth(self._stop_parts)

    def _stop_parts(self, why: Any) -> Any:
        if isinstance(why, Failure):
            log.failure("workers could not be stopped properly", why)
        return super().stopService()
