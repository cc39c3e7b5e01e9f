"""Faults of the gateway, its clock, its chargers and its backend; those of Redis and the spool are in `chaos.faults_redis`.

Each is injected, held for some seconds and healed. Knows neither their schedule nor their effects.
"""

from __future__ import annotations

import random
import signal

from chaos import decisions, faults_redis  # noqa: F401  # they fill the table
from chaos.backend import MODES
from chaos.duplicate_connection import connect_duplicate
from chaos.fault import DAMAGE, FAULTS, LANES, Fault, fault
from chaos.proxy import Pair
from chaos.system_under_test import SystemUnderTest
from chaos.visitors import connect_visitors
from fleets import pause

__all__ = ["DAMAGE", "FAULTS", "LANES", "Fault"]


def sample(system: SystemUnderTest, rng: random.Random) -> list[Pair]:
    """One in n of the chargers' connections, at least one if there are any."""
    pairs = list(system.charger_proxy.pairs)
    return rng.sample(pairs, max(1, len(pairs) // rng.choice((2, 4, 8)))) if pairs else []


# the gateway


@fault("the gateway is killed and restarted", "F14", "kill -9", "gateway", 5, (0, 1))
async def gateway_dies(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    await connect_visitors(system, rng.randrange(1, 4))
    await system.gateway.kill()
    await pause(seconds)
    await system.gateway.start()


@fault("the gateway is restarted", "F15", "SIGTERM: status 0 within 30 s", "gateway", 3, (0, 0.5))
async def gateway_is_restarted(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    await system.gateway.terminate()
    await pause(seconds)
    await system.gateway.start()


@fault("the gateway freezes", "F16", "SIGSTOP, SIGCONT", "gateway", 3)
async def gateway_freezes(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    system.gateway.signal(signal.SIGSTOP)
    await pause(seconds)
    system.gateway.signal(signal.SIGCONT)


# the backend


def _backend_fault(mode: str, number: str = "F19") -> None:
    @fault(f"the backend {_DESCRIPTIONS[mode]}", number, f"{mode}", "backend", 1, (0.3, 3))
    async def backend_fails(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
        system.backend.mode = mode
        await pause(seconds)
        system.backend.mode = "good"


_DESCRIPTIONS = {
    "refuses": "refuses connections",
    "hangs": "hangs",
    "drips": "drips one byte a second",
    "is slow": "is slow",
    "500": "answers 500",
    "html": "answers HTML",
    "garbage": "answers with garbage",
    "redirects": "redirects in a loop",
    "bomb": "sends a gzip bomb",
    "huge": "answers a megabyte",
    "hangs up": "closes the connection",
}
for _mode in MODES[1:]:
    _backend_fault(_mode)


# chargers


@fault("chargers' connections are closed", "F10", "proxy: drop one in n", "chargers", 4, (0, 0.1))
async def connections_are_closed(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    system.charger_proxy.drop(sample(system, rng))
    await pause(seconds)


@fault("chargers' connections are reset", "F10", "proxy: reset one in n", "chargers", 4, (0, 0.1))
async def connections_are_reset(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    system.charger_proxy.reset(sample(system, rng))
    await pause(seconds)


@fault("chargers' connections freeze", "F10", "proxy: pause one in n, then all arrives late", "chargers", 3)
async def connections_freeze(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    frozen = sample(system, rng)
    system.charger_proxy.pause(frozen)
    await pause(seconds)
    for pair in frozen:
        pair.thaw()


@fault("old connections linger", "F11", "proxy: pause one in n for 4 to 6 s, then reset", "chargers", 1, (4, 6))
async def connections_linger(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    frozen = sample(system, rng)
    system.charger_proxy.pause(frozen)
    await pause(seconds)
    system.charger_proxy.reset(frozen)


@fault("chargers' connections are half closed", "F10", "proxy: half-close one in n", "chargers", 2, (0, 0.1))
async def connections_are_half_closed(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    system.charger_proxy.half_close(sample(system, rng))
    await pause(seconds)


@fault("chargers' connections are slow", "F10", "proxy: delay", "chargers", 1)
async def connections_are_slow(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    system.charger_proxy.delay = rng.uniform(0.02, 0.5)
    await pause(seconds)
    system.charger_proxy.delay = 0.0


@fault("all chargers reconnect at once", "F31", "proxy: refuse and reset all", "chargers", 0.5, (0.1, 1))
async def all_reconnect(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    system.charger_proxy.refuse()
    system.charger_proxy.reset()
    await pause(seconds)
    system.charger_proxy.refusing = False


@fault("two peers have one identity", "F12", "a second connection", "chargers", 4, (0.1, 1.5))
async def duplicate_identity(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    connect_duplicate(rng.choice(system.chargers), seconds)
    await pause(seconds)


@fault("chargers were offline for hours", "F22", "12 to 30 messages from up to two days ago, replayed", "chargers", 1.5, (0.2, 2))
async def chargers_were_offline(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    for charger in rng.sample(system.chargers, max(1, len(system.chargers) // 10)):
        charger.go_offline(seconds)
        charger.queue_offline_transactions(rng.randrange(2, 6))
    await pause(seconds)


# the clock


@fault(
    "the gateway's clock is set",
    "F21",
    "libfaketime: up to an hour forward or back",
    "clock",
    1,
    (0.5, 4),
    lambda system: system.no_fake_clock,
)
async def clock_steps(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    system.set_clock(rng.choice((3600, -3600, 61, -1)))
    await pause(seconds)
    system.set_clock(0)
