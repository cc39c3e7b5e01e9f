"""What everything is called in Redis, in one place (docs/operations.md has the same table for people).

Knows no connection. Redis Cluster is not supported: one script touches keys of many slots.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from ..settings import Settings


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one gateway: some are the fleet's, some its own. ``boot`` tells this run of the gateway from all others."""

    gateway: str
    events: str = "events"
    commands: str = "commands"
    prefix: str = "ocpp"
    incarnation: str = field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        """The names that the settings ask for.

        Raises:
            ValueError: the settings do not name the gateway (``name`` is to be filled in by whoever knows the host).
        """
        if not settings.name:
            raise ValueError("a gateway needs a name of its own within the fleet: settings.name is empty")
        return cls(settings.name, settings.events, settings.commands, settings.prefix)

    @property
    def seq(self) -> str:
        """A hash: the number of each charger's last event."""
        return f"{self.prefix}:seq"

    def batch(self, incarnation: str = "") -> str:
        """The number of the last batch that this (or another) run of a gateway has written."""
        return f"{self.prefix}:batch:{incarnation or self.incarnation}"

    def reclaimed(self, incarnation: str = "") -> str:
        """There once another gateway has taken over what this (or another) run of a gateway had in hand."""
        return f"{self.prefix}:reclaimed:{incarnation or self.incarnation}"

    def table(self, table: str, owner: str) -> str:
        """A hash: what is remembered of the charger."""
        return f"{self.prefix}:{table}:{owner}"

    @property
    def owners(self) -> str:
        """A hash: "<gateway> <connection> <time of arrival in ms>" of each charger that is connected somewhere."""
        return f"{self.prefix}:owners"

    def lease(self, gateway: str = "") -> str:
        """There as long as the gateway lives."""
        return f"{self.prefix}:gateway:{gateway or self.gateway}"

    @property
    def gateways(self) -> str:
        """A hash: "<boot> <time>" of each gateway that has ever been, and is not forgotten: its run, and its last sign of life."""
        return f"{self.prefix}:gateways"

    @property
    def transaction_ids(self) -> str:
        """How many transaction ids have been leased."""
        return f"{self.prefix}:transaction_ids"

    def claimed_id(self, charger: str, id: str) -> str:
        """There for a day once the command was taken."""
        charger = charger.replace("%", "%25").replace(":", "%3A")  # or "a:b" with "c" would be "a" with "b:c"
        return f"{self.prefix}:done:{charger}:{id}"

    @property
    def processing(self) -> str:
        """A list: the elements that this gateway has in hand."""
        return self.processing_of(self.gateway)

    def processing_of(self, gateway: str) -> str:
        """The same of any gateway."""
        return f"{self.commands}:processing:{gateway}"

    def own_commands(self, gateway: str = "") -> str:
        """A list: the elements for one gateway only."""
        return f"{self.commands}:for:{gateway or self.gateway}"

    @property
    def dead_letters(self) -> str:
        """A list: the elements that nobody could answer."""
        return f"{self.commands}:dead"

    def reserved(self, name: str) -> bool:
        """Whether a list of that name is ours, and so no backend's to have replies (and an expiry!) put on it."""
        return name in (self.events, self.commands) or name.startswith((f"{self.prefix}:", f"{self.commands}:"))
