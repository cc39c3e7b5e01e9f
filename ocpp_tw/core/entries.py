"""What goes to the fleet's memory in one piece: an event and what must become true together with it.

Knows no database: the drivers (`ocpp_tw.redis`, `ocpp_tw.memory`) carry it out.
"""

from __future__ import annotations

import msgspec


class Put(msgspec.Struct, frozen=True, gc=False):
    """Remember ``value`` for the charger under shelf and name; None forgets it.

    Shelves: ``record`` (see `Record`), ``transactions`` (name: the transaction's id, value: its JSON). ``of`` is whose it is when it is not
    the entry's own charger's: a gateway's name, say. A gateway has ``provisional`` (see `ocpp_tw.gateway.reconcile`) and ``sent`` (name: the digest
    of an element whose command was claimed and has no result yet).
    """

    table: str
    name: str
    value: bytes | None
    owner: str | None = None


class Acknowledged(msgspec.Struct, frozen=True, gc=False):
    """A command's element is done with: it leaves the list of those in hand."""

    element: bytes


class Reply(msgspec.Struct, frozen=True, gc=False):
    """Append ``value`` to a list of the backend's own; the list expires (an hour after the last reply)."""

    list: str
    value: bytes


class IdReleased(msgspec.Struct, frozen=True, gc=False):
    """A command that was claimed was not sent after all: its id is new again for this charger."""

    charger: str
    id: str


class PeerMessage(msgspec.Struct, frozen=True, gc=False):
    """Word for another gateway of the fleet: it finds the element in its own list."""

    gateway: str
    element: bytes


Effect = Put | Acknowledged | Reply | IdReleased | PeerMessage


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An event of one charger (a JSON object, without ``seq``: the store numbers events as it appends them) and its effects.

    An empty event appends nothing: the effects are carried out, and whoever waits for the entry waits for all before it.
    """

    charger: str
    event: bytes = b""
    effects: tuple[Effect, ...] = ()


class Record(msgspec.Struct, frozen=True, gc=False):
    """What is remembered of a charger over connections and restarts; all of it text, an empty field is unknown.

    ``boot`` is the registration status last given: Accepted, Pending or Rejected. The next three are an operator's decisions: the
    status to give, the interval that goes with it in seconds, and the only version of OCPP to speak with the charger. The last
    three are what the charger told of itself at its last BootNotification.
    """

    boot: str = ""
    boot_status: str = ""
    retry_interval: str = ""
    version: str = ""
    vendor: str = ""
    model: str = ""
    firmware: str = ""

    @property
    def model_known(self) -> tuple[str | None, str | None, str | None]:
        """Vendor, model and firmware as the charger told them last; None what it has not."""
        return self.vendor or None, self.model or None, self.firmware or None


def numbered(event: bytes, seq: int) -> bytes:
    """The event with its number in the charger's own sequence as the last member."""
    return b'%b,"seq":%d}' % (event[:-1], seq)
