"""A whole gateway in memory: the real core on the drivers' twins and a clock that only tests move."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from twisted.internet.task import Clock

from ocpp_tw.core.stamps import Stamps
from ocpp_tw.dispatch.dispatcher import Dispatcher
from ocpp_tw.gateway.breaker import Breaker
from ocpp_tw.gateway.charger import Charger
from ocpp_tw.gateway.gate import OpenGate
from ocpp_tw.gateway.gateway import Gateway
from ocpp_tw.gateway.incoming import IncomingCalls
from ocpp_tw.gateway.reconcile import Reconciler
from ocpp_tw.gateway.transaction_ids import TransactionIds
from ocpp_tw.gateway.verdicts import Verdicts
from ocpp_tw.handlers import Handlers
from ocpp_tw.interfaces import HandshakeRequest
from ocpp_tw.memory import MemoryCommands, MemoryEvents, MemoryRecords, MemoryRoster, MemoryStore, MemoryWire
from ocpp_tw.ocpp.negotiation import enabled_versions
from ocpp_tw.settings import Settings

START = 1_790_000_000
"""Unix time at which every test begins."""


@dataclass
class Guest:
    """A charger's end of the line: what it sends, and what it got."""

    house: House
    charger: Charger
    wire: MemoryWire
    _read: int = 0
    _ids: int = 0

    def says(self, action: str, payload: Any = None, id: str | int | None = None) -> str | int:
        """Send a CALL; its id."""
        self._ids += 1
        id = f"{self.charger.connection}/{self._ids}" if id is None else id
        self.raw(json.dumps([2, id, action, {} if payload is None else payload]))
        return id

    def raw(self, text: str | bytes) -> None:
        """Send a frame as it is."""
        self.charger.frame(text.encode() if isinstance(text, str) else text)

    def got(self) -> list[Any]:
        """The frames that came since the last look."""
        frames = [json.loads(each) for each in self.wire.sent[self._read :]]
        self._read = len(self.wire.sent)
        return frames

    def asks(self, action: str, payload: Any = None, id: str | int | None = None) -> Any:
        """Send a CALL and return the payload of its answer, which must be the only frame that comes."""
        id = self.says(action, payload, id)
        (answer,) = self.got()
        assert answer[:2] == [3, id], answer
        return answer[2]

    def fails(self, action: str, payload: Any = None, id: str | int | None = None) -> str:
        """Send a CALL and return the code of the CALLERROR it gets."""
        id = self.says(action, payload, id)
        (answer,) = self.got()
        assert answer[:2] == [4, id] and len(answer) == 5, answer
        return str(answer[2])

    def answers(self, payload: Any, id: str | None = None) -> None:
        """Answer the last CALL of the gateway's."""
        if id is None:
            id = next(frame[1] for frame in reversed([json.loads(each) for each in self.wire.sent]) if frame[0] == 2)
        self.raw(json.dumps([3, id, payload]))

    def leaves(self, code: int = 1006, reason: str = "") -> None:
        """The connection ends."""
        self.house.gateway.departed(self.charger, code, reason)


@dataclass
class House:
    """``store`` may be shared by several houses: then they are the gateways of one fleet."""

    settings: Settings = field(default_factory=lambda: Settings(name="gw"))
    store: MemoryStore = field(default_factory=MemoryStore)
    clock: Clock = field(default_factory=Clock)
    backend: Any = None
    handlers: Any = None
    tolerance: Any = None

    def __post_init__(self) -> None:
        name = self.settings.name
        self.stamps = Stamps(lambda: START + self.clock.seconds())
        self.events = MemoryEvents(self.store, name)
        self.records = MemoryRecords(self.store)
        self.roster = MemoryRoster(self.store, name)
        self.commands = MemoryCommands(self.store, name)
        breaker = Breaker(self.backend, self.clock) if self.backend else None
        handlers = self.handlers or Handlers(self.settings, breaker)
        self.desk = Verdicts(handlers, self.records, TransactionIds(self.records, self.clock))
        self.intake = IncomingCalls(self.settings, self.clock, self.stamps, self.desk, self.events, self.tolerance)
        self.gateway = Gateway(
            self.settings, self.clock, OpenGate(), self.intake, self.roster, self.records, enabled_versions(self.settings)
        )
        self.dispatch = Dispatcher(
            self.settings, self.clock, self.stamps, self.gateway, self.commands, self.roster, self.events, self.intake
        )
        if breaker is not None:  # a test starts it, and stops it
            self.reconciler = Reconciler(breaker, self.clock, self.gateway, self.desk, self.intake, self.roster, self.records)
        self._told = 0

    def knock(self, id: str = "cp1", address: str = "10.0.0.1", offered: tuple[str, ...] = ("ocpp1.6",)) -> Guest:
        """A charger whose handshake has just been completed."""
        wire = MemoryWire()
        charger, _ = self.gateway.admit(HandshakeRequest(id, "csms.example.com", address, offered), wire)
        return Guest(self, charger, wire)

    def comes(self, id: str = "cp1", address: str = "10.0.0.1", ocpp: str = "1.6") -> Guest:
        """A charger that has come in."""
        guest = self.knock(id, address, (f"ocpp{ocpp}",))
        self.gateway.arrived(guest.charger)
        return guest

    def told(self) -> list[dict[str, Any]]:
        """The events since the last look."""
        events = [json.loads(each) for each in self.store.events[self._told :]]
        self._told = len(self.store.events)
        return events

    def names(self) -> list[str]:
        """Their names."""
        return [event["event"] for event in self.told()]

    def orders(self, **said: Any) -> None:
        """The backend pushes a command."""
        self.store.push(json.dumps(said).encode())

    def result(self) -> dict[str, Any]:
        """The data of the one `command_result` since the last look."""
        (data,) = [event["data"] for event in self.told() if event["event"] == "command_result"]
        return data


def house(**settings: Any) -> House:
    """A gateway with these settings."""
    return House(replace(Settings(name="gw"), **settings))


START_1 = {"connectorId": 1, "idTag": "TAG1", "meterStart": 1000, "timestamp": "2026-11-23T08:00:00Z"}


def stop(id: int, meter: int = 4000, time: str = "2026-11-23T09:00:00Z", **more: Any) -> dict[str, Any]:
    """A StopTransaction's payload."""
    return {"transactionId": id, "meterStop": meter, "timestamp": time, **more}
