"""What is done to the gateway, to its clock, its chargers and its backend; with `chaos.faults_redis` these are all.

Knows neither when it is done nor what comes of it. Each is injected, held for some seconds and healed.
"""

from __future__ import annotations

import random
import signal

from chaos import faults_redis  # noqa: F401  # fills the table
from chaos.backend import MOODS
from chaos.double import double
from chaos.fault import DAMAGE, FAULTS, LANES, Fault, fault
from chaos.house import House
from chaos.proxy import Pair
from fleets import pause

__all__ = ["DAMAGE", "FAULTS", "LANES", "Fault"]


def some(house: House, rng: random.Random) -> list[Pair]:
    """One in n of the chargers' connections, at least one if there are any."""
    pairs = list(house.door.pairs)
    return rng.sample(pairs, max(1, len(pairs) // rng.choice((2, 4, 8)))) if pairs else []


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
    double(rng.choice(house.chargers), seconds)
    await pause(seconds)


@fault("chargers were offline for hours", "F22", "15 to 30 messages of days ago, replayed", "chargers", 1.5, (0.2, 2))
async def chargers_were_offline(house: House, seconds: float, rng: random.Random) -> None:
    for charger in rng.sample(house.chargers, max(1, len(house.chargers) // 10)):
        charger.go_offline(seconds)
        charger.remember_hours(rng.randrange(2, 6))
    await pause(seconds)


# the clock


@fault("the gateway's clock is set", "F21", "libfaketime: an hour forth or back", "clock", 1, (0.5, 4), lambda house: house.no_false_clock)
async def clock_steps(house: House, seconds: float, rng: random.Random) -> None:
    house.set_clock(rng.choice((3600, -3600, 61, -1)))
    await pause(seconds)
    house.set_clock(0)
