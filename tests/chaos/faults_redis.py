"""What is done to Valkey, to the line between it and the gateway, and to the spool that stands in for it.

Knows neither when it is done nor what comes of it. Each is injected, held for some seconds and healed.
"""

from __future__ import annotations

import random
import signal

from chaos.fault import DAMAGE, fault
from chaos.house import House
from fleets import pause

# Valkey


@fault("Valkey is killed and restarted", "F1", "kill -9", "valkey", 4, (0.1, 1.5))
async def valkey_dies(house: House, seconds: float, rng: random.Random) -> None:
    await house.blocking(house.valkey.kill)
    await pause(seconds)
    await house.valkey_starts()


@fault("Valkey is away for long", "F2", "kill -9, restarted after 5 to 8 s", "valkey", 0.6, (5, 8))
async def valkey_is_away(house: House, seconds: float, rng: random.Random) -> None:
    await valkey_dies(house, seconds, rng)


@fault("Valkey freezes", "F3", "SIGSTOP, SIGCONT", "valkey", 2)
async def valkey_freezes(house: House, seconds: float, rng: random.Random) -> None:
    house.valkey.signal(signal.SIGSTOP)
    await pause(seconds)
    house.valkey.signal(signal.SIGCONT)


@fault("Valkey is loading its data", "F4", "kill -9, restarted with key-load-delay", "valkey", 1.5, (0.3, 2))
async def valkey_loads(house: House, seconds: float, rng: random.Random) -> None:
    await house.blocking(house.valkey.kill)
    options = house.valkey.options
    house.valkey.options = (*options, "--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024")
    try:
        await house.valkey_starts(b"\nloading:")
    finally:
        house.valkey.options = options
    await pause(seconds)
    await house.control("CONFIG", "SET", "key-load-delay", "0")
    await house.loaded()


@fault("Valkey is out of memory", "F5", "CONFIG SET maxmemory 1", "valkey", 2)
async def out_of_memory(house: House, seconds: float, rng: random.Random) -> None:
    await _configured(house, seconds, "maxmemory", "1", "0")


@fault("READONLY: Valkey is a replica", "F6", "REPLICAOF a dead port, REPLICAOF NO ONE", "valkey", 2)
async def read_only(house: House, seconds: float, rng: random.Random) -> None:
    await house.control("REPLICAOF", "127.0.0.1", "1")
    await pause(seconds)
    await house.control("REPLICAOF", "NO", "ONE")


@fault("NOREPLICAS", "F6", "CONFIG SET min-replicas-to-write 1", "valkey", 1)
async def no_replicas(house: House, seconds: float, rng: random.Random) -> None:
    await _configured(house, seconds, "min-replicas-to-write", "1", "0")


@fault("NOAUTH: Valkey asks for a password", "F6", "CONFIG SET requirepass, CLIENT KILL", "valkey", 1)
async def no_auth(house: House, seconds: float, rng: random.Random) -> None:
    await house.control("CONFIG", "SET", "requirepass", "chaos")
    house.valkey.password = "chaos"
    await house.control("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await pause(seconds)
    await house.control("CONFIG", "SET", "requirepass", "")
    house.valkey.password = ""


async def _configured(house: House, seconds: float, name: str, ill: str, well: str) -> None:
    await house.control("CONFIG", "SET", name, ill)
    await pause(seconds)
    await house.control("CONFIG", "SET", name, well)


@fault("Valkey hangs up on everybody", "F6", "CLIENT KILL", "valkey", 2, (0, 0.1))
async def clients_are_killed(house: House, seconds: float, rng: random.Random) -> None:
    await house.control("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await pause(seconds)


@fault(
    "the spool's disk is full, Valkey is away",
    "F17",
    "kill -9, tmpfs filled up before or after it",
    "valkey",
    1,
    (1, 3),
    lambda house: house.no_small_disk,
)
async def disk_is_full(house: House, seconds: float, rng: random.Random) -> None:
    if early := rng.random() < 0.5:
        house.fill_disk()
    await house.blocking(house.valkey.kill)
    await pause(rng.uniform(0, 1))
    if not early:
        house.fill_disk()
    await pause(seconds)
    if rng.random() < 0.5:  # there is room again before there is a Valkey, or after
        house.empty_disk()
        await pause(rng.uniform(0, 1))
    await house.valkey_starts()
    await pause(rng.uniform(0, 1))
    house.empty_disk()


# the line between gateway and Valkey


@fault("the line to Valkey freezes", "F9", "proxy: pause", "redis line", 2)
async def line_freezes(house: House, seconds: float, rng: random.Random) -> None:
    house.redis_line.pause()
    await pause(seconds)
    house.redis_line.go_on()


@fault("the line to Valkey is half open", "F9", "proxy: pause for 5.5 to 7 s, then reset", "redis line", 0.4, (5.5, 7))
async def line_is_half_open(house: House, seconds: float, rng: random.Random) -> None:
    house.redis_line.pause()
    await pause(seconds)
    house.redis_line.reset()
    house.redis_line.go_on()


@fault("the line to Valkey is reset", "F9", "proxy: reset", "redis line", 3, (0, 0.2))
async def line_is_reset(house: House, seconds: float, rng: random.Random) -> None:
    house.redis_line.reset()
    await pause(seconds)


@fault("answers of Valkey are lost", "F9", "proxy: pause, then reset", "redis line", 3, (0.05, 0.5))
async def answers_are_lost(house: House, seconds: float, rng: random.Random) -> None:
    for pair in list(house.redis_line.pairs):
        if pair.back.transport is not None:
            pair.back.transport.pauseProducing()  # what the gateway says still arrives
    await pause(seconds)
    house.redis_line.reset()


@fault("the line to Valkey is half closed", "F9", "proxy: half-close", "redis line", 1, (0, 0.2))
async def line_is_half_closed(house: House, seconds: float, rng: random.Random) -> None:
    house.redis_line.half_close()
    await pause(seconds)


@fault("the line to Valkey is slow", "F9", "proxy: delay", "redis line", 2)
async def line_is_slow(house: House, seconds: float, rng: random.Random) -> None:
    house.redis_line.wait = rng.uniform(0.02, 0.3)
    await pause(seconds)
    house.redis_line.go_on()


@fault("nobody gets through to Valkey", "F9", "proxy: refuse", "redis line", 1)
async def line_is_refused(house: House, seconds: float, rng: random.Random) -> None:
    house.redis_line.refuse()
    house.redis_line.drop()
    await pause(seconds)
    house.redis_line.go_on()


# the spool: a lane that is only in a run of its own, since what was in a damaged row may be missing


@fault(
    "the spool is damaged",
    "F18",
    "gateway kill -9 with Valkey away, file truncated or a bit flipped",
    DAMAGE,
    1,
    (1, 2),
    lambda house: house.no_spool,
)
async def spool_is_damaged(house: House, seconds: float, rng: random.Random) -> None:
    await house.blocking(house.valkey.kill)
    await pause(seconds)
    await house.gateway.kill()
    house.damage_spool(rng)
    await house.gateway.start()
    await pause(0.5)
    await house.valkey_starts()
    await pause(3)
