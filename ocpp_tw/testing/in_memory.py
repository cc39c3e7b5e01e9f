"""A whole gateway in memory, for tests of handlers and of what a backend may expect: the real application on in-memory drivers.

Needs no network, no Redis and no time: its clock moves when the test says so. `ocpp_tw.testing.gateway` runs one as a process.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock

from ..core.authority import Authority
from ..core.passwords import Keys, Passwords
from ..core.stamps import Stamps
from ..gateway.breaker import Breaker
from ..gateway.charger import Charger
from ..handlers import Handlers
from ..interfaces import HandshakeRequest, IBackend, IGate, IHandlers, ITracer
from ..memory import (
    MemoryCommands,
    MemoryEvents,
    MemoryHistory,
    MemoryKeys,
    MemoryPubSub,
    MemoryRecords,
    MemoryRegister,
    MemoryRoster,
    MemoryStates,
    MemoryStore,
    MemoryWire,
)
from ..ocpp.tolerance.rules import Tolerance
from ..process.compose import compose
from ..settings import Settings

START_TIME = 1_790_000_000
"""Unix time at which the clock of every `InMemoryGateway` begins."""


class InMemoryGateway:
    """A gateway on in-memory drivers, with its ``clock`` and what it publishes.

    ``store`` may be shared by several: then they are the gateways of one fleet. ``handlers`` are those under test; without them the
    gateway's own decide, by the settings and the ``backend``. ``keys`` are those that passwords are stored under: its own, if left out. ``application`` is started by the test, if it needs that.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        store: MemoryStore | None = None,
        clock: Clock | None = None,
        *,
        backend: IBackend | None = None,
        handlers: IHandlers | None = None,
        authority: Authority | None = None,
        gate: IGate | None = None,
        tolerance: Tolerance | None = None,
        keys: Keys | None = None,
        tracer: ITracer | None = None,
    ) -> None:
        self.settings = settings or Settings(name="gw")
        self.store = store if store is not None else MemoryStore()
        self.clock = clock or Clock()
        self.backend = backend
        name = self.settings.name
        self.events = MemoryEvents(self.store, name, self.settings.history)
        self.history = MemoryHistory(self.store)
        self.records = MemoryRecords(self.store)
        self.states = MemoryStates(self.store)
        self.register = MemoryRegister(self.store, self.clock.seconds)
        self.roster = self.orphans = MemoryRoster(self.store, name)
        self.commands = MemoryCommands(self.store, name)
        self.fleet = MemoryPubSub(self.store, name, self.clock)
        breaker = Breaker(backend, self.clock) if backend else None
        self.application = compose(
            self.settings,
            self.clock,
            self,
            handlers=handlers or Handlers(self.settings, breaker),
            backend=breaker,
            passwords=Passwords(keys or MemoryKeys()),
            authority=authority,
            gate=gate,
            tolerance=tolerance,
            tracer=tracer,
            stamps=Stamps(lambda: START_TIME + self.clock.seconds()),
        )
        self.gateway, self.dispatcher = self.application.gateway, self.application.dispatcher
        self._published = len(self.store.events)

    @property
    def trouble(self) -> str:
        """Why events are not durable; "" if they are (see `MemoryEvents`)."""
        return "it is paused" if self.events.paused else ""

    @property
    def refuses(self) -> str:
        """The same: what is stored can be read."""
        return self.trouble

    def unread(self) -> int | None:
        """How many events there are, since nobody takes them."""
        return len(self.store.events)

    def spooled(self) -> dict[str, Any]:
        """Nothing: there is no spool."""
        return {}

    def spool_bytes(self) -> int:
        """Nothing: there is no spool."""
        return 0

    def handshake(self, id: str = "cp1", address: str = "10.0.0.1", offered: tuple[str, ...] = ("ocpp1.6",)) -> ChargerClient:
        """A charger whose handshake has just been answered; its connection is not open yet. Raises `HandshakeRefused`."""
        wire = MemoryWire()
        admitted = self.gateway.admit(HandshakeRequest(id, "csms.example.com", address, offered), wire)
        if not isinstance(admitted, tuple):
            raise TypeError("the gate does not decide at once")
        return ChargerClient(self, admitted[0], wire)

    def connect(self, id: str = "cp1", address: str = "10.0.0.1", ocpp: str = "1.6") -> ChargerClient:
        """A connected charger."""
        client = self.handshake(id, address, (f"ocpp{ocpp}",))
        self.gateway.arrived(client.charger)
        return client

    def published(self) -> list[dict[str, Any]]:
        """The events that were published since the last call, or since this gateway was made; those of all that share the store."""
        published = [json.loads(event) for event in self.store.events[self._published :]]
        self._published = len(self.store.events)
        return published

    def published_names(self) -> list[str]:
        """Their names."""
        return [event["event"] for event in self.published()]

    def push_command(self, **members: Any) -> None:
        """Push a command as a backend does; `Application.dispatcher` must have been started."""
        self.store.push(json.dumps(members).encode())

    def command_result(self) -> dict[str, Any]:
        """The data of the one `command_result` among the events since the last call."""
        (result,) = [event for event in self.published() if event["event"] == "command_result"]
        data: dict[str, Any] = result["data"]
        return data


class ChargerClient:
    """A charger's end of a connection to an `InMemoryGateway`; ``wire`` is the gateway's end, ``charger`` what the gateway has of it."""

    def __init__(self, gateway: InMemoryGateway, charger: Charger, wire: MemoryWire) -> None:
        self.charger = charger
        self.wire = wire
        self._gateway = gateway
        self._read = self._ids = 0

    def send_text(self, text: str | bytes) -> None:
        """Send a text message as it is."""
        self.charger.frame(text.encode() if isinstance(text, str) else text)

    def send_call(self, action: str, payload: Any = None, id: str | int | None = None) -> str | int:
        """Send a CALL; returns its message id."""
        self._ids += 1
        id = f"{self.charger.connection}/{self._ids}" if id is None else id
        self.send_text(json.dumps([2, id, action, {} if payload is None else payload]))
        return id

    def frames(self) -> list[Any]:
        """The frames that were received since the last call."""
        frames = [json.loads(text) for text in self.wire.sent[self._read :]]
        self._read = len(self.wire.sent)
        return frames

    def call(self, action: str, payload: Any = None, id: str | int | None = None) -> Any:
        """Send a CALL; returns the payload of its CALLRESULT, which must be the only frame that comes."""
        id = self.send_call(action, payload, id)
        (answer,) = self.frames()
        assert answer[:2] == [3, id], answer
        return answer[2]

    def call_error(self, action: str, payload: Any = None, id: str | int | None = None) -> str:
        """Send a CALL; returns the code of the CALLERROR that it gets."""
        id = self.send_call(action, payload, id)
        (answer,) = self.frames()
        assert answer[:2] == [4, id] and len(answer) == 5, answer
        return str(answer[2])

    def answer(self, payload: Any, id: str | None = None) -> None:
        """Answer the gateway's latest CALL, or the one with that message id."""
        if id is None:
            id = next(frame[1] for frame in reversed([json.loads(text) for text in self.wire.sent]) if frame[0] == 2)
        self.send_text(json.dumps([3, id, payload]))

    def disconnect(self, code: int = 1006, reason: str = "") -> None:
        """The connection ends."""
        self._gateway.gateway.departed(self.charger, code, reason)
