"""What drivers do at a charger: plug in, present a tag, charge and leave; again and again.

Knows neither the connection nor the version of OCPP.
"""

from __future__ import annotations

from .charger import SimulatedCharger
from .power import Car

MAX_PRESENTATIONS = 3
"""Most times a driver presents a tag that is not accepted or not answered; then the driver leaves."""


async def charge(charger: SimulatedCharger, tag: str, minutes: float = 30.0, number: int = 1, reason: str = "Local") -> bool:
    """One transaction from plugging in to unplugging; whether there was one. ``minutes`` are simulated."""
    connector, clock = charger.connectors[number - 1], charger.clock
    await connector.when_free()
    car = Car(soc=charger.random.uniform(0.55, 0.72))
    if not connector.id_first:
        connector.plug(car)
    for _ in range(MAX_PRESENTATIONS):
        await clock.sleep(charger.random.uniform(3, 15))
        await charger.when_ready()
        if await charger.authorize_and_start(tag, connector, minutes, reason):
            if connector.car is None:
                await clock.sleep(charger.random.uniform(3, 15))
                if connector.car is None and connector.transaction is not None:
                    connector.plug(car)
            await connector.when_free()
            return True
        if connector.busy:  # a remote start came first
            await connector.when_free()
            return False
    connector.unplug()
    return False


async def keep_charging(charger: SimulatedCharger, tag: str, transactions: int | None, minutes: float = 30.0, pause: float = 60.0) -> None:
    """That many transactions (None: without end) one after another, on all connectors in turn."""
    done = 0
    while transactions is None or done < transactions:
        await charger.when_ready()
        if done:
            await charger.clock.sleep(pause * charger.random.uniform(0.5, 1.5))
        reason = "EVDisconnected" if len(charger.connectors) > 1 and charger.random.random() < 0.25 else "Local"
        await charge(charger, tag, minutes, done % len(charger.connectors) + 1, reason)
        done += 1
