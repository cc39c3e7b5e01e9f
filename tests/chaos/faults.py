"""What is done to the gateway and to all around it. Each fault is injected, held for some seconds and healed.

Knows neither when it is done nor what comes of it. Numbers are those of FAULTS.md. Faults of one lane exclude each other; those of
different lanes overlap.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaos.backend import MOODS
from fleets import pause

if TYPE_CHECKING:
    from chaos.house import House
    from chaos.proxy import Pair

Run = Callable[["House", float, random.Random], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """``weight`` is its share among the faults of its lane, ``seconds`` the range of how long it holds; ``needs`` says why it cannot be."""

    name: str
    number: str
    how: str
    lane: str
    weight: float
    seconds: tuple[float, float]
    run: Run
    needs: Callable[[House], str]


FAULTS: dict[str, Fault] = {}

DAMAGE = "damage"
"""The lane of faults after which something may be missing."""

LANES = {"valkey": 0.20, "redis line": 0.15, "gateway": 0.08, "backend": 0.15, "chargers": 0.40, "clock": 0.02}
"""The share that each lane has of all faults; that of a lane that cannot be goes to the others."""


def nothing(house: House) -> str:
    """It needs nothing."""
    return ""


def fault(
    name: str,
    number: str,
    how: str,
    lane: str,
    weight: float = 1,
    seconds: tuple[float, float] = (0.1, 2),
    needs: Callable[[House], str] = nothing,
) -> Callable[[Run], Run]:
    """Enter the function into the table."""

    def enter(run: Run) -> Run:
        FAULTS[name] = Fault(name, number, how, lane, weight, seconds, run, needs)
        return run

    return enter


def some(house: House, rng: random.Random) -> list[Pair]:
    """One in n of the chargers' connections, at least one if there are any."""
    pairs = list(house.door.pairs)
    return rng.sample(pairs, max(1, len(pairs) // rng.choice((2, 4, 8)))) if pairs else []


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
    "the spool's disk is full, Valkey is away", "F17", "tmpfs filled up, SIGSTOP", "valkey", 1, (1, 3), lambda house: house.no_small_disk
)
async def disk_is_full(house: House, seconds: float, rng: random.Random) -> None:
    house.fill_disk()
    house.valkey.signal(signal.SIGSTOP)
    await pause(seconds)
    house.empty_disk()
    await pause(rng.uniform(0, 1))
    house.valkey.signal(signal.SIGCONT)


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


# the gateway


@fault("the gateway is killed and restarted", "F14", "kill -9", "gateway", 5, (0, 1))
async def gateway_dies(house: House, seconds: float, rng: random.Random) -> None:
    await house.gateway.kill()
    await pause(seconds)
    await house.gateway.start()


@fault("the gateway is restarted", "F15", "SIGTERM: status 0 within 10 s", "gateway", 3, (0, 0.5))
async def gateway_is_restarted(house: House, seconds: float, rng: random.Random) -> None:
    await house.gateway.terminate()
    await pause(seconds)
    await house.gateway.start()


@fault("the gateway freezes", "F16", "SIGSTOP, SIGCONT", "gateway", 3)
async def gateway_freezes(house: House, seconds: float, rng: random.Random) -> None:
    house.gateway.signal(signal.SIGSTOP)
    await pause(seconds)
    house.gateway.signal(signal.SIGCONT)


# the backend


def _moody(mood: str, number: str = "F19") -> None:
    @fault(f"the backend {_HOW[mood]}", number, f"{mood}", "backend", 1, (0.3, 3))
    async def backend_fails(house: House, seconds: float, rng: random.Random) -> None:
        house.backend.mood = mood
        await pause(seconds)
        house.backend.mood = "good"


_HOW = {
    "refuses": "refuses connections",
    "hangs": "hangs",
    "drips": "drips one byte a second",
    "is slow": "is slow",
    "500": "answers 500",
    "html": "answers HTML",
    "garbage": "speaks no HTTP",
    "redirects": "redirects in a circle",
    "bomb": "sends a gzip bomb",
    "huge": "answers a megabyte",
    "hangs up": "hangs up",
}
for _mood in MOODS[1:]:
    _moody(_mood)


# chargers


@fault("chargers' lines are dropped", "F10", "proxy: drop one in n", "chargers", 4, (0, 0.1))
async def lines_are_dropped(house: House, seconds: float, rng: random.Random) -> None:
    house.door.drop(some(house, rng))
    await pause(seconds)


@fault("chargers' lines are reset", "F10", "proxy: reset one in n", "chargers", 4, (0, 0.1))
async def lines_are_reset(house: House, seconds: float, rng: random.Random) -> None:
    house.door.reset(some(house, rng))
    await pause(seconds)


@fault("chargers' lines freeze", "F10", "proxy: pause one in n, then all arrives late", "chargers", 3)
async def lines_freeze(house: House, seconds: float, rng: random.Random) -> None:
    frozen = some(house, rng)
    house.door.pause(frozen)
    await pause(seconds)
    for pair in frozen:
        pair.thaw()


@fault("old lines linger", "F11", "proxy: pause one in n for 4 to 6 s, then reset", "chargers", 1, (4, 6))
async def lines_linger(house: House, seconds: float, rng: random.Random) -> None:
    frozen = some(house, rng)
    house.door.pause(frozen)
    await pause(seconds)
    house.door.reset(frozen)


@fault("chargers' lines are half closed", "F10", "proxy: half-close one in n", "chargers", 2, (0, 0.1))
async def lines_are_half_closed(house: House, seconds: float, rng: random.Random) -> None:
    house.door.half_close(some(house, rng))
    await pause(seconds)


@fault("chargers' lines are slow", "F10", "proxy: delay", "chargers", 1)
async def lines_are_slow(house: House, seconds: float, rng: random.Random) -> None:
    house.door.wait = rng.uniform(0.02, 0.5)
    await pause(seconds)
    house.door.wait = 0.0


@fault("all chargers come back at once", "F31", "proxy: refuse and reset all", "chargers", 0.5, (0.1, 1))
async def storm(house: House, seconds: float, rng: random.Random) -> None:
    house.door.refuse()
    house.door.reset()
    await pause(seconds)
    house.door.refusing = False


@fault("two peers have one identity", "F12", "a second connection", "chargers", 4, (0.1, 1.5))
async def doubles(house: House, seconds: float, rng: random.Random) -> None:
    rng.choice(house.chargers).double(seconds)
    await pause(seconds)


@fault("chargers were offline for hours", "F22", "15 to 30 messages of days ago, replayed", "chargers", 1.5, (0.2, 2))
async def chargers_were_offline(house: House, seconds: float, rng: random.Random) -> None:
    for charger in rng.sample(house.chargers, max(1, len(house.chargers) // 10)):
        charger.go_offline(seconds)
        charger.remember_hours(rng.randrange(2, 6))
    await pause(seconds)


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


# the clock


@fault("the gateway's clock is set", "F21", "libfaketime: an hour forth or back", "clock", 1, (0.5, 4), lambda house: house.no_false_clock)
async def clock_steps(house: House, seconds: float, rng: random.Random) -> None:
    house.set_clock(rng.choice((3600, -3600, 61, -1)))
    await pause(seconds)
    house.set_clock(0)
