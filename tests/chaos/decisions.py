"""Operators' decisions: chargers are Pending or Rejected for a while, and then as before.

Knows nothing of what a charger does about it.
"""

from __future__ import annotations

import json
import random
import time
import urllib.request
from typing import Any

from chaos.fault import fault
from chaos.ledger import Restriction
from chaos.system_under_test import SystemUnderTest
from fleets import pause

TRIES_FOR = 180.0
"""Seconds for which an operator tries, since the gateway or Redis may be away."""


def _put(port: int, charger: str, body: Any) -> None:
    url = f"http://127.0.0.1:{port}/api/chargers/{charger}"
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers, method="PUT"), timeout=2).close()


async def decide(system: SystemUnderTest, charger: str, status: str | None) -> None:
    """Decide, again until the gateway has taken it."""
    deadline = time.monotonic() + TRIES_FOR
    while time.monotonic() < deadline:
        try:
            return await system.blocking(_put, system.gateway.http, charger, {"boot_status": status})
        except OSError:
            await pause(0.2)
    raise RuntimeError(f"no decision on {charger} was taken")


@fault(
    "an operator refuses chargers for a while",
    "O1",
    "PUT boot_status: Rejected or Pending, then null or Accepted",
    "operators",
    1,
    (0.5, 3),
)
async def operator_refuses(system: SystemUnderTest, seconds: float, rng: random.Random) -> None:
    status, back = rng.choice(("Rejected", "Pending")), rng.choice(("Accepted", None))
    restrictions = [Restriction(each.name, system.ledger.now) for each in rng.sample(system.chargers, max(1, len(system.chargers) // 10))]
    system.ledger.restrictions += restrictions
    for each in restrictions:
        await decide(system, each.charger, status)
    await pause(seconds)
    for each in restrictions:
        await decide(system, each.charger, back)
        each.until = system.ledger.now
