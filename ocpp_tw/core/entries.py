"""An entry of the outbox: an event and the changes of state that must become true together with it, or not at all.

Knows no database: the drivers (`ocpp_tw.redis`, `ocpp_tw.memory`) carry entries out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter

import msgspec

FLEET, SECURITY, GUARDED = "fleet", "security", "guarded"
"""A table of the fleet, its owner, and the field in it that is set once a charger has credentials or a least security profile: without the
store nobody unknown is admitted from then on."""

CREDENTIALS_KEY = "credentials_key"
"""The field in the same table with the id of the key that chargers' passwords are stored under (`ocpp_tw.core.passwords.key_id`): who does not
have that key lets none of them in."""

AWAY = "away"
"""The owner of a table of the fleet: each charger that has been connected and is not, with what is known of its last connection (see
`ocpp_tw.core.history.away`)."""

STATES = "states"
"""The owner of a table of the fleet: what each charger has told last of its connectors and running transactions (see `ocpp_tw.interfaces.IStates`)."""

GATEWAYS = "gateways"
"""The owner of a table of the fleet: what each gateway has told last of itself (see `ocpp_tw.monitoring.gateway_reports`)."""

SPELLINGS = "spellings"
"""A table of each identity in lower case: the spellings of it that are registered, or have authenticated, which in OCPP 2.x are one charger."""

REFUSED_HANDSHAKES = "?"
"""The name that events about refused handshakes are numbered under, all together, and those about security that are no operator's: the name
in them is merely claimed."""


class Put(msgspec.Struct, frozen=True, gc=False):
    """Set field ``name`` of a table to ``value``; None deletes it.

    A charger has the tables ``record`` (see `Record`) and ``transactions`` (transaction id -> its JSON). ``owner`` names the table's owner
    where that is not the entry's charger. A gateway has ``provisional`` (see `ocpp_tw.core.provisional`) and ``sent`` (digest of each
    element whose command was claimed and has no result yet).
    """

    table: str
    name: str
    value: bytes | None
    owner: str | None = None


GUARD = Put(FLEET, GUARDED, b"yes", SECURITY)
"""Belongs to whatever gives a charger credentials or a least security profile."""


def under_key(id: str) -> Put:
    """Belongs to whatever gives a charger a password: it is stored under the key with that id."""
    return Put(FLEET, CREDENTIALS_KEY, id.encode(), SECURITY)


class Acknowledged(msgspec.Struct, frozen=True, gc=False):
    """A command's element is finished: it leaves the list of those in flight."""

    element: bytes


class Reply(msgspec.Struct, frozen=True, gc=False):
    """Append ``value`` to one of the backend's own lists, which expires an hour after the last reply."""

    list: str
    value: bytes


class IdReleased(msgspec.Struct, frozen=True, gc=False):
    """A claimed command was not sent after all: its id may be used again for this charger."""

    charger: str
    id: str


class PeerMessage(msgspec.Struct, frozen=True, gc=False):
    """A message to another gateway of the fleet, appended to that gateway's own command list."""

    gateway: str
    element: bytes


class Broadcast(msgspec.Struct, frozen=True, gc=False):
    """The same message to every other gateway of the fleet that is heard of."""

    element: bytes


class Orphaned(msgspec.Struct, frozen=True, gc=False):
    """The charger's entry in the roster was left behind by a gateway that is gone (see `Orphan`), and is removed.

    The entry's event is published only if that is still so: another gateway may have published it, or the charger may be back.
    """

    gateway: str
    held: str


class Departed(msgspec.Struct, frozen=True, gc=False):
    """The charger's connection has ended, and the roster did not answer whether it still was the charger's.

    The entry's event is published only if no other connection has the charger by then.
    """

    connection: str


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """Append ``value``, a JSON object, to a history of the fleet's (see `ocpp_tw.core.history`), from which the oldest is dropped."""

    history: str
    value: bytes


class Listed(msgspec.Struct, frozen=True, gc=False):
    """The entry's charger is in the list of those that operators have decided about, or not any more: belongs to whatever sets one of the
    fields `DECIDED` of its record first, or takes back the last."""

    on: bool = True


class Unchanged(msgspec.Struct, frozen=True, gc=False):
    """The effects behind this one in the entry are carried out only if these fields of the charger's record still have these values in the
    store when it is their turn ("": there is none); all of them, or none. The entry's event is published in any case. An entry has one at most.

    Belongs to whatever follows from what was read: an entry may wait for hours in a gateway that is cut off from the store, while the same
    charger is served elsewhere.
    """

    fields: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, record: Record, *names: str) -> Unchanged:
        """If these fields are as they are in this record."""
        return cls(tuple((name, getattr(record, name)) for name in names))


Effect = Recorded | Put | Acknowledged | Reply | IdReleased | PeerMessage | Broadcast | Orphaned | Departed | Listed | Unchanged


def spelled(id: str) -> tuple[Effect, ...]:
    """Belongs to whatever registers or authenticates a charger: every gateway learns how its identity is spelled."""
    return Put(SPELLINGS, id, b"yes", id.lower()), Broadcast(msgspec.json.encode({"decided": id}))


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One charger's event (a JSON object without ``seq``, which the store adds as it appends) and its effects.

    An empty event appends nothing; the effects are carried out all the same, in order with the entries before it.
    """

    charger: str
    event: bytes = b""
    effects: tuple[Effect, ...] = ()


class Record(msgspec.Struct, frozen=True, gc=False):
    """What is stored about a charger across connections and restarts. All fields are text; an empty one is unknown.

    ``boot`` is the registration status given last: Accepted, Pending or Rejected. Those of `DECIDED` are an operator's decisions: the status
    to give, the interval that goes with it in seconds, and the only version of OCPP to speak; that he has registered the charger (yes), the
    least security profile to admit, its password (see `ocpp_tw.core.passwords`) and those that it has been sent since (see
    `ocpp_tw.core.new_passwords`), those of its network profiles (see `ocpp_tw.core.network_passwords`), and the SHA-256 of the only certificate to accept. ``issued`` are those that it was sent to use (see
    `ocpp_tw.core.issued`), ``wanted_profile`` is the security profile that it has been told to come in with (see `ocpp_tw.core.wanted`). ``reached_profile`` is the highest security profile that it has come in with since the operator said.
    ``backend_verdict`` (accept, pending, refuse) and ``backend_profile`` are what the backend has said last, where it is the register. The
    last four are from the charger's latest BootNotification.
    """

    boot: str = ""
    boot_status: str = ""
    retry_interval: str = ""
    version: str = ""
    registered: str = ""
    security_profile: str = ""
    password: str = ""
    new_password: str = ""
    network_passwords: str = ""
    certificate: str = ""
    reached_profile: str = ""
    issued: str = ""
    wanted_profile: str = ""
    backend_verdict: str = ""
    backend_profile: str = ""
    vendor: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""

    @classmethod
    def of(cls, values: Iterable[bytes | None]) -> Record:
        """The record whose fields have these values in a store, in their order."""
        return cls(*[value.decode(errors="replace") if value else "" for value in values])

    @classmethod
    def read(cls, fields: Mapping[str, bytes | None]) -> Record:
        """The record in a table; what else is there does not belong to it."""
        known = cls.__struct_fields__
        return cls(**{name: value.decode(errors="replace") for name, value in fields.items() if value and name in known})

    def __repr__(self) -> str:
        return f"<Record of a {self.vendor} {self.model}>"  # neither a password's stored form nor anything else that a log should not have

    @property
    def model_known(self) -> tuple[str | None, str | None, str | None]:
        """Vendor, model and firmware as last reported; None where not reported."""
        return self.vendor or None, self.model or None, self.firmware or None

    @property
    def known(self) -> tuple[str | None, ...]:
        """The same and the serial number."""
        return (*self.model_known, self.serial or None)

    @property
    def is_registered(self) -> bool:
        """Whether an operator has decided anything about it."""
        return any(_decided(self))

    @property
    def least_profile(self) -> int:
        """The least security profile of OCPP to admit it with, as far as this was decided about it alone: never one lower than before
        (2.x A05.FR.02)."""
        least = 3 if self.certificate else 1 if self.password else 0
        for said in (self.security_profile, self.reached_profile):
            if said in PROFILES and int(said) > least:
                least = int(said)
        return least


DECIDED = (
    "boot_status", "retry_interval", "version", "registered", "security_profile", "password", "new_password", "network_passwords",
    "certificate",
)  # fmt: skip
"""The fields of a `Record` that are operators' decisions: with any of them the charger is registered."""

_decided = attrgetter(*DECIDED)

PROFILES = ("0", "1", "2", "3")
"""The security profiles, as a record has them; 0 is none."""

SAID_BY_BACKEND = ("backend_verdict", "backend_profile")
"""Those that the backend decides, where it is the register."""

CREDENTIALS = (*DECIDED[3:], "reached_profile", "issued", "wanted_profile", *SAID_BY_BACKEND)
"""Those that decide whether it may come in."""

JUDGED = tuple(name for name in CREDENTIALS if name not in ("wanted_profile", *SAID_BY_BACKEND))
"""Those that are stored here and that a handshake is judged by; what it shows may change them."""


class Orphan(msgspec.Struct, frozen=True, gc=False):
    """A charger that the roster has on a connection to a gateway, or to an earlier run of one, that is gone.

    ``held`` is the roster's entry as it is, ``domain`` and ``ocpp`` are of that connection ("" and None where the roster does not know
    them), ``seconds`` is for how long it was seen to last: 0 where nothing is known. ``known`` is its vendor, model, firmware and serial
    number, as its record has them, ``since`` when the connection was made, in Unix time, 0 if that is not known.
    """

    charger: str
    gateway: str
    held: str
    domain: str
    ocpp: str | None
    seconds: float
    known: tuple[str | None, ...] = (None, None, None, None)
    since: float = 0.0


class Page(msgspec.Struct, frozen=True, gc=False):
    """Some of the registered chargers with their records, by identity; ``cursor`` is where the next page begins, "" after the last."""

    chargers: list[tuple[str, Record]]
    cursor: str


class Seated(msgspec.Struct, frozen=True, gc=False):
    """A charger has arrived. ``record`` is what is stored about it; ``unseated`` is the connection to another living gateway that it had until
    then, "" if it had none."""

    record: Record
    unseated: str = ""


class Held(msgspec.Struct, frozen=True, gc=False):
    """A charger has not arrived: another living gateway has it, on a connection that the newcomer may not unseat while it is alive."""

    gateway: str
    connection: str


def numbered(event: bytes, seq: int) -> bytes:
    """The event with its number in the charger's sequence as the last member."""
    return b'%b,"seq":%d}' % (event[:-1], seq)
