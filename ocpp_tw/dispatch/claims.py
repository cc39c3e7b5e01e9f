"""Undoes the claim of a command that could not be sent after all.

Knows neither the store nor the charger.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from ..core.commands import Command, digest
from ..core.entries import Effect, IdReleased, Put
from ..gateway.publisher import Publisher


async def undo_claim(command: Command, publisher: Publisher) -> None:
    """Release the id, and wait until that is durable: whoever has the charger next is to find the command as if it had not been claimed."""
    effects: list[Effect] = [IdReleased(command.charger, command.id)]
    if command.element:
        effects.append(Put("sent", digest(command.element), None, owner=publisher.gateway))
    durable: Deferred[None] = Deferred()
    publisher.carry_out("", tuple(effects), durable.callback)
    await durable
