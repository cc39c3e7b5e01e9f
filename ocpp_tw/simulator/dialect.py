"""What differs between the versions of OCPP, as one value for each: a charger's behaviour is the same in all of them.

Knows no version itself; `ocpp_tw.simulator.v16.dialect` and `ocpp_tw.simulator.v2.dialect` make the values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from ..facts import Fact, Readings, Verdict
from ..ocpp.frames import Payload
from .command import Command, CommandTarget
from .configuration import Key
from .connector import Connector
from .host import Host
from .power import Sample
from .security import SecurityWords


def do_nothing(charger: CommandTarget) -> None:
    """The default of `Dialect.on_ready`."""


class Dialect(NamedTuple):
    """One version of OCPP as a charger speaks it."""

    ocpp: str
    subprotocol: str
    write: Callable[[Fact], tuple[str, Payload]]  # the action and payload of the CALL for a fact
    read: Callable[[Fact, Payload], Verdict]  # the verdict in the answer to it
    readings: Callable[[str, str, Sequence[Sample]], Readings]  # timestamp, context and samples as a ``meterValue`` array
    commands: Mapping[str, Command]
    keys: tuple[Key, ...]
    security_words: SecurityWords
    make_connector: Callable[[Host, int], Connector] = Connector  # the connector (2.x: the EVSE) with that number
    station_status: bool = True  # whether the charger as a whole has a status
    codes: Mapping[str, str] = MappingProxyType({})  # CALLERROR codes that are spelled otherwise than in 1.6
    on_ready: Callable[[CommandTarget], None] = do_nothing  # called whenever the charger is connected and accepted again
