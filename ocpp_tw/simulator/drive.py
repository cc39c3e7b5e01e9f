"""What people do at a charger: a car comes, a tag is presented, the car charges and leaves; again and again.

Knows neither the wire nor the version.
"""

from __future__ import annotations

from .charger import Charger
from .power import Car

ATTEMPTS = 3
"""How often a tag is presented that is not accepted, or not answered."""


async def charge(charger: Charger, tag: str, minutes: float = 30.0, number: int = 1, reason: str = "Local") -> bool:
    """One charging transaction from the plug's going in to its coming out; whether there was one. ``minutes`` are simulated."""
    connector, pace = charger.connectors[number - 1], charger.pace
    await connector.free()
    car = Car(soc=charger.random.uniform(0.55, 0.72))
    if not connector.id_first:
        connector.plug(car)
    for _ in range(ATTEMPTS):
        await pace.sleep(charger.random.uniform(3, 15))
        await charger.when_accepted()
        if await charger.present(tag, connector, minutes, reason):
            if connector.car is None:
                await pace.sleep(charger.random.uniform(3, 15))
                if connector.car is None and connector.transaction is not None:
                    connector.plug(car)
            await connector.free()
            return True
        if connector.busy:  # somebody was faster, from afar
            await connector.free()
            return False
    connector.unplug()
    return False


async def keep_charging(charger: Charger, tag: str, transactions: int | None, minutes: float = 30.0, pause: float = 60.0) -> None:
    """So many transactions one after another (None: without end), on one connector after the other."""
    done = 0
    while transactions is None or done < transactions:
        await charger.when_accepted()
        if done:
            await charger.pace.sleep(pause * charger.random.uniform(0.5, 1.5))
        reason = "EVDisconnected" if len(charger.connectors) > 1 and charger.random.random() < 0.25 else "Local"
        await charge(charger, tag, minutes, done % len(charger.connectors) + 1, reason)
        done += 1
