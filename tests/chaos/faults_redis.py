"""Faults of Valkey, of the connection between it and the gateway, and of the spool.

Each is injected, held for some seconds and healed. Knows neither their schedule nor their effects.
"""

from __future__ import annotations

import random
import signal

from chaos.fault import DAMAGE, fault
from chaos.system_under_test import SystemUnderTest
from fleets import pause

# Valkey


@fault("Valkey is killed and restarted", "F1", "kill -9", "valkey", 4, (0.1, 1.5))
async def valkey_dies(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    await system.blocking(system.valkey.kill)
    await pause(seconds)
    await system.start_valkey()


@fault("Valkey is unavailable for long", "F2", "kill -9, restarted after 5 to 8 s", "valkey", 0.6, (5, 8))
async def valkey_is_unavailable(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    await valkey_dies(system, seconds, rng)


@fault("Valkey freezes", "F3", "SIGSTOP, SIGCONT", "valkey", 2)
async def valkey_freezes(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    system.valkey.signal(signal.SIGSTOP)
    await pause(seconds)
    system.valkey.signal(signal.SIGCONT)


@fault("Valkey is loading its data", "F4", "kill -9, restarted with key-load-delay", "valkey", 1.5, (0.3, 2))
async def valkey_loads(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    await system.blocking(system.valkey.kill)
    options = system.valkey.options
    system.valkey.options = (*options, "--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024")
    try:
        await system.start_valkey(b"\nloading:")
    finally:
        system.valkey.options = options
    await pause(seconds)
    await system.control("CONFIG", "SET", "key-load-delay", "0")
    await system.valkey_loaded()


@fault("Valkey is out of memory", "F5", "CONFIG SET maxmemory 1", "valkey", 2)
async def out_of_memory(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    await _configured(system, seconds, "maxmemory", "1", "0")


@fault("READONLY: Valkey is a replica", "F6", "REPLICAOF a dead port, REPLICAOF NO ONE", "valkey", 2)
async def read_only(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    await system.control("REPLICAOF", "127.0.0.1", "1")
    await pause(seconds)
    await system.control("REPLICAOF", "NO", "ONE")


@fault("NOREPLICAS", "F6", "CONFIG SET min-replicas-to-write 1", "valkey", 1)
async def no_replicas(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    await _configured(system, seconds, "min-replicas-to-write", "1", "0")


@fault("NOAUTH: Valkey asks for a password", "F6", "CONFIG SET requirepass, CLIENT KILL", "valkey", 1)
async def no_auth(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    await system.control("CONFIG", "SET", "requirepass", "chaos")
    system.valkey.password = "chaos"
    await system.control("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await pause(seconds)
    await system.control("CONFIG", "SET", "requirepass", "")
    system.valkey.password = ""


async def _configured(system: SystemUnderTest, seconds: float, name: str, faulty: str, normal: str) -> None:
    await system.control("CONFIG", "SET", name, faulty)
    await pause(seconds)
    await system.control("CONFIG", "SET", name, normal)


@fault("Valkey closes all connections", "F6", "CLIENT KILL", "valkey", 2, (0, 0.1))
async def clients_are_killed(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    await system.control("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await pause(seconds)


@fault(
    "the spool's disk is full, Valkey is unavailable",
    "F17",
    "kill -9, tmpfs filled up before or after it",
    "valkey",
    1,
    (1, 3),
    lambda system: system.no_small_disk,
)
async def disk_is_full(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    if early := rng.random() < 0.5:
        system.fill_disk()
    await system.blocking(system.valkey.kill)
    await pause(rng.uniform(0, 1))
    if not early:
        system.fill_disk()
    await pause(seconds)
    if rng.random() < 0.5:  # the disk is freed before Valkey is back, or after
        system.empty_disk()
        await pause(rng.uniform(0, 1))
    await system.start_valkey()
    await pause(rng.uniform(0, 1))
    system.empty_disk()


# the connection between gateway and Valkey


@fault("the connection to Valkey freezes", "F9", "proxy: pause", "redis connection", 2)
async def connection_freezes(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    system.redis_proxy.pause()
    await pause(seconds)
    system.redis_proxy.resume()


@fault("the connection to Valkey is half open", "F9", "proxy: pause for 5.5 to 7 s, then reset", "redis connection", 0.4, (5.5, 7))
async def connection_is_half_open(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    system.redis_proxy.pause()
    await pause(seconds)
    system.redis_proxy.reset()
    system.redis_proxy.resume()


@fault("the connection to Valkey is reset", "F9", "proxy: reset", "redis connection", 3, (0, 0.2))
async def connection_is_reset(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    system.redis_proxy.reset()
    await pause(seconds)


@fault("Valkey's replies are lost", "F9", "proxy: pause, then reset", "redis connection", 3, (0.05, 0.5))
async def replies_are_lost(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    for pair in list(system.redis_proxy.pairs):
        if pair.back.transport is not None:
            pair.back.transport.pauseProducing()  # the gateway's requests still arrive
    await pause(seconds)
    system.redis_proxy.reset()


@fault("the connection to Valkey is half closed", "F9", "proxy: half-close", "redis connection", 1, (0, 0.2))
async def connection_is_half_closed(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    system.redis_proxy.half_close()
    await pause(seconds)


@fault("the connection to Valkey is slow", "F9", "proxy: delay", "redis connection", 2)
async def connection_is_slow(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    system.redis_proxy.delay = rng.uniform(0.02, 0.3)
    await pause(seconds)
    system.redis_proxy.resume()


@fault("connections to Valkey are refused", "F9", "proxy: refuse", "redis connection", 1)
async def connection_is_refused(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    system.redis_proxy.refuse()
    system.redis_proxy.drop()
    await pause(seconds)
    system.redis_proxy.resume()


# the spool: a lane with a run of its own, since the content of a damaged row may be missing


@fault(
    "the spool is damaged",
    "F18",
    "gateway kill -9 while Valkey is down, file truncated or a bit flipped",
    DAMAGE,
    1,
    (1, 2),
    lambda system: system.no_spool,
)
async def spool_is_damaged(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    await system.blocking(system.valkey.kill)
    await pause(seconds)
    await system.gateway.kill()
    system.damage_spool(rng)
    await system.gateway.start()
    await pause(0.5)
    await system.start_valkey()
    await pause(3)
