"""Several gateways on one port, each in a process of its own: starts, restarts and stops them.

Knows no charger and imports no gateway, to stay small: a worker is `ocpp_tw.process.worker` (and to its parent `ocpp_tw.process.worker_process`), operators' HTTP for all of them
`ocpp_tw.operators.fan_out`.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..operators.failed_logins import FailedLogin
from ..operators.fan_out import FanOut
from ..operators.merge import WorkerEndpoint
from ..settings import Settings, worker_settings
from .listening import SharedPort, chargers_of, endpoint_at, listen, socket_directory
from .openness import tell_open_doors
from .operators_door import OperatorsDoor
from .worker_process import MAX_RESTART_DELAY, Worker

log = Logger()

WITHDRAW_AFTER = 1.0
"""Longest restart delay, in seconds, for which new connections wait for a worker that ended; with a longer one the others get them."""

KILL_AFTER = 3.0
"""Seconds beyond `--drain` that a worker has to end by itself; then it is killed."""


class WorkerNeverServed(Exception):
    """A worker ended before it had ever served."""


class Workers(MultiService):
    """As many gateways as the settings say; ``give_up`` is called when they cannot start at all.

    Raises:
        InvalidSetting: the files of operators' tokens or certificate cannot be used.
    """

    def __init__(self, settings: Settings, reactor: Any, give_up: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.stopping = self.complete = self._failing = False
        self._settings = settings
        self._reactor = reactor
        self._give_up = give_up
        self._door = OperatorsDoor(settings, reactor)
        self._secret = secrets.token_hex()
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
        site = FanOut(self, reactor, self._secret).site(self._door.guard(self._login_failed), settings.http_connections)
        self._http = await listen(endpoint_at(settings.http, reactor), self._door.served(site), settings.http, self._door.clients)
        self._door.start()
        self._port = port = SharedPort(settings.port, chargers_of(settings), settings.workers)
        self._directory = socket_directory()
        for number in range(1, settings.workers + 1):
            path = self._directory / str(number)
            self._workers.append(Worker(number, worker_settings(settings, number), path, self._secret, self._ended))
        # The first one alone, since it proves the settings: an error in them is logged once, not once per worker.
        first, *others = self._workers
        first.spawn(reactor, port)
        await first.served
        for worker in others:
            worker.spawn(reactor, port)
        for worker in others:
            await worker.served
        self.complete = True
        tell_open_doors(settings)
        log.info("workers serve: {count}", count=len(self._workers))

    def reload(self) -> None:
        """Reload what is for operators, and make each worker reload its certificate and authorities; one that does not serve yet loads it when it starts."""
        self._door.reload()
        for worker in self._workers:
            if worker.serving and (self._settings.tls or self._settings.tls_client_ca):  # without either SIGHUP would end it
                worker.signal("HUP")

    def _login_failed(self, failed: FailedLogin) -> None:
        """Have a worker publish it; the log has it in any case."""
        worker = next((each for each in self._workers if each.serving), None)
        if worker is not None:
            worker.tell(failed)

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
        self._door.stop()
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
