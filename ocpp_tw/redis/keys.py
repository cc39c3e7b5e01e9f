"""The names of all keys in Redis (docs/operations.md has the same table for people).

Knows no connection. Redis Cluster is not supported: one script touches keys of many slots.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from ..settings import Settings


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one gateway: some are the fleet's, some its own. ``incarnation`` identifies this run of the gateway, ``history`` is how many
    elements the key of each history has at most, give or take a hundred."""

    gateway: str
    events: str = "events"
    commands: str = "commands"
    prefix: str = "ocpp"
    incarnation: str = field(default_factory=lambda: secrets.token_hex(8))
    history: int = 10_000

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        """The keys that the settings ask for.

        Raises:
            ValueError: the settings do not name the gateway.
        """
        if not settings.name:
            raise ValueError("a gateway needs a name of its own within the fleet: settings.name is empty")
        return cls(settings.name, settings.events, settings.commands, settings.prefix, history=settings.history)

    @property
    def seq(self) -> str:
        """A hash: charger -> the number of its last event."""
        return f"{self.prefix}:seq"

    @property
    def seq_floor(self) -> str:
        """The highest number that a charger had which is forgotten: nobody new begins below it."""
        return f"{self.prefix}:seq_floor"

    @property
    def strangers(self) -> str:
        """A sorted set: when each charger that nobody has vouched for was last seen to come or go, in Unix time."""
        return f"{self.prefix}:strangers"

    @property
    def registered(self) -> str:
        """A sorted set, in alphabetical order since all scores are 0: the chargers that operators have decided about."""
        return f"{self.prefix}:registered"

    def channel(self, db: int, address: str = "") -> str:
        """The channel on which a gateway of that address listens, or all of the fleet. Channels are of a server, not of a database."""
        return f"{self.prefix}:fleet:{db}:{address}" if address else f"{self.prefix}:fleet:{db}"

    def batch(self, incarnation: str = "") -> str:
        """The number of the last group that this (or another) incarnation of a gateway has written."""
        return f"{self.prefix}:batch:{incarnation or self.incarnation}"

    def reclaimed(self, incarnation: str = "") -> str:
        """Exists once another gateway has taken over from this (or another) incarnation of a gateway."""
        return f"{self.prefix}:reclaimed:{incarnation or self.incarnation}"

    def table(self, table: str, owner: str) -> str:
        """A hash: a table of fields that belongs to a charger or a gateway."""
        return f"{self.prefix}:{table}:{owner}"

    def recent(self, history: str) -> str:
        """A stream: what a history of the fleet's has."""
        return f"{self.prefix}:recent:{history}"

    @property
    def owners(self) -> str:
        """A hash: charger -> "<gateway> <connection> <time of arrival in ms>", of each charger that is connected somewhere."""
        return f"{self.prefix}:owners"

    @property
    def connections(self) -> str:
        """A hash: charger -> "<connection> <JSON list of its Host header, OCPP version, network and security profile>", of the chargers in `owners`."""
        return f"{self.prefix}:connections"

    def lease(self, gateway: str = "") -> str:
        """The gateway lease: exists as long as the gateway renews it."""
        return f"{self.prefix}:gateway:{gateway or self.gateway}"

    @property
    def gateways(self) -> str:
        """A hash: gateway -> "<incarnation> <time>", the latest incarnation and its last renewal, until the gateway has left or was taken over."""
        return f"{self.prefix}:gateways"

    @property
    def transaction_ids(self) -> str:
        """The number of transaction ids that have been leased."""
        return f"{self.prefix}:transaction_ids"

    def claimed_id(self, charger: str, id: str) -> str:
        """Exists for a day once the command was claimed."""
        charger = charger.replace("%", "%25").replace(":", "%3A")  # or "a:b" with "c" would be "a" with "b:c"
        return f"{self.prefix}:done:{charger}:{id}"

    def once(self, name: str) -> str:
        """Exists for as long as what it names is not to be told again by any gateway."""
        return f"{self.prefix}:once:{name}"

    @property
    def processing(self) -> str:
        """A list: the elements that this gateway has in flight."""
        return self.processing_of(self.gateway)

    def processing_of(self, gateway: str) -> str:
        """A list: the elements that a gateway has in flight."""
        return f"{self.commands}:processing:{gateway}"

    def own_commands(self, gateway: str = "") -> str:
        """A list: the elements forwarded to one gateway, and peer messages for it."""
        return f"{self.commands}:for:{gateway or self.gateway}"

    @property
    def dead_letters(self) -> str:
        """A list: the elements that could not be answered."""
        return f"{self.commands}:dead"

    def reserved(self, name: str) -> bool:
        """Whether the name is one of ours, so that a backend cannot have replies (and an expiry!) put on it."""
        return name in (self.events, self.commands) or name.startswith((f"{self.prefix}:", f"{self.commands}:"))
