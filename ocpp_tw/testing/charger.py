"""A charger that does what a test says, step by step, over a real connection: boots, authorizes, charges, answers commands.

Knows no gateway but its URL. Nothing happens that the test has not said, but for answers to commands. `ocpp-tw simulate` has chargers that live by themselves.
"""

from __future__ import annotations

import ssl
import threading
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

import jsonschema_rs

from ..facts import (
    Authorization,
    Authorize,
    BootNotification,
    Fact,
    Heartbeat,
    MeterValues,
    Registration,
    Start,
    Started,
    StatusNotification,
    Stopped,
    TransactionEventInfo,
    Updated,
    Verdict,
)
from ..ocpp.schemas import source
from ..simulator.fleet import DIALECTS
from ..simulator.power import Sample
from .connection import Answer, CallError, Connection

COMMAND_TIMEOUT = 30.0
"""Seconds that `ScriptedCharger.wait_for` waits for a command, if the test does not say how long."""

_FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
_TOKEN = "ISO14443"  # noqa: S105 - a type of card


class Command(NamedTuple):
    """A CALL that the charger was sent."""

    action: str
    payload: Answer


class ScriptedCharger:
    """A charger with this identity and version of OCPP; it connects when the test says so.

    Without `answer` or `refuse` it answers a command ``{"status": "Accepted"}`` if its version has such an answer, and else the CALLERROR NotSupported.
    """

    def __init__(
        self, url: str, id: str, ocpp: str = "1.6", *, password: str | None = None, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        if ocpp not in DIALECTS:
            raise ValueError(f"there is no OCPP {ocpp}: it may be {', '.join(DIALECTS)}")
        self.id, self.ocpp, self.password = id, ocpp, password
        self.commands: list[Command] = []
        """The commands that it was sent, and answered unless it ignores them, in that order."""
        self._url, self._ssl = url, ssl_context
        self._dialect = DIALECTS[ocpp]
        self._connection: Connection | None = None
        self._answers: dict[str, Callable[[Answer], Answer | CallError | None]] = {}
        self._heard = threading.Condition()
        self._waited_for = 0

    @property
    def connected(self) -> bool:
        """Whether its connection is open."""
        return self._connection is not None and self._connection.open

    def connect(self) -> None:
        """Connect. Raises `connection.HandshakeRefused`."""
        self._connection = Connection(self._url, self.id, self._dialect.subprotocol, self._answer, self.password, self._ssl)

    def disconnect(self, code: int = 1000, reason: str = "") -> None:
        """End the connection with a close frame."""
        if self._connection is not None:
            self._connection.close(code, reason)

    def cut(self) -> None:
        """End the connection without one."""
        if self._connection is not None:
            self._connection.cut()

    def call(self, action: str, payload: Answer | None = None) -> Answer:
        """Send any CALL; returns the payload of its answer. Raises `connection.CallError`, and `ConnectionError` while it is not connected."""
        if self._connection is None:
            raise ConnectionError(f"{self.id} is not connected: call connect()")
        return self._connection.call(action, payload or {})

    def boot(self, vendor: str = "Example", model: str = "Scripted", firmware: str = "1.0", serial: str | None = None) -> str:
        """BootNotification; returns its registration status."""
        verdict = self._report(BootNotification(vendor, model, serial, firmware))
        assert isinstance(verdict, Registration)
        return verdict.status

    def heartbeat(self) -> None:
        """Heartbeat."""
        self._report(Heartbeat())

    def authorize(self, tag: str) -> str:
        """Authorize; returns the tag's status."""
        verdict = self._report(Authorize(tag, "" if self.ocpp == "1.6" else _TOKEN))
        assert isinstance(verdict, Authorization)
        return verdict.status

    def status(self, status: str, connector: int = 1, error_code: str | None = None) -> None:
        """StatusNotification of a connector, in 2.x of an EVSE and its first connector; 1.6: 0 is the charger as a whole."""
        self._report(StatusNotification(connector, status, error_code, timestamp=_now()))

    def start(self, tag: str, connector: int = 1, meter: int = 0, remote_start_id: int | None = None) -> ChargingSession:
        """Begin a transaction with the meter at so many Wh: StartTransaction, or TransactionEvent Started."""
        return ChargingSession(self, tag, connector, meter, remote_start_id)

    def answer(self, action: str, answer: Answer | Callable[[Answer], Answer | CallError]) -> None:
        """How it answers a command from now on: with this payload, or what comes of the command's payload.

        A function is called in the connection's thread, and must not use the charger.
        """
        self._answers[action] = answer if callable(answer) else lambda payload: answer

    def refuse(self, action: str, code: str = "NotSupported", description: str = "") -> None:
        """It answers this command with a CALLERROR from now on."""
        self._answers[action] = lambda payload: CallError(code, description)

    def ignore(self, action: str) -> None:
        """It never answers this command from now on."""
        self._answers[action] = lambda payload: None

    def wait_for(self, action: str, timeout: float = COMMAND_TIMEOUT) -> Answer:
        """The payload of the next command of this action that was not waited for before; other commands before it are passed over."""
        with self._heard:
            found = self._heard.wait_for(lambda: self._next(action), timeout)
            if not found:
                names = [command.action for command in self.commands]
                raise TimeoutError(f"{self.id} was sent no {action} within {timeout:g} s; its commands were: {names}")
            self._waited_for, payload = found
            return payload

    def _next(self, action: str) -> tuple[int, Answer] | None:
        for number, command in enumerate(self.commands[self._waited_for :], self._waited_for + 1):
            if command.action == action:
                return number, command.payload
        return None

    def _report(self, fact: Fact) -> Verdict:
        action, payload = self._dialect.write(fact)
        return self._dialect.read(fact, self.call(action, payload))

    def _answer(self, action: str, payload: Answer) -> Answer | CallError | None:
        with self._heard:
            self.commands.append(Command(action, payload))
            self._heard.notify_all()
        if action in self._answers:
            return self._answers[action](payload)
        if _may_be_accepted(self.ocpp, action):
            return {"status": "Accepted"}
        return CallError("NotSupported", f"the test has not said how {action} is answered")


class ChargingSession:
    """A transaction of a `ScriptedCharger`, begun with it: ``id`` is its id for the charger, ``status`` what the tag was given."""

    def __init__(self, charger: ScriptedCharger, tag: str, connector: int, meter: int, remote_start_id: int | None) -> None:
        self._charger, self._number = charger, 0
        self.tag, self.connector, self.meter = tag, connector, meter
        self.id: int | str = str(uuid.uuid4())
        trigger = "Authorized" if remote_start_id is None else "RemoteStart"
        read = self._readings("Transaction.Begin", []) if self._is_2x else []
        info = self._info(trigger, _TOKEN, remote_start_id) if self._is_2x else None
        verdict = charger._report(Started(connector, tag, meter, _now(), None, str(self.id), read, info))
        assert isinstance(verdict, Start)
        self.status = verdict.authorization.status
        if not self._is_2x:
            assert verdict.transaction_id is not None, "the answer to StartTransaction has no transactionId"
            self.id = verdict.transaction_id

    def meter_values(self, meter: int, power_w: float | None = None, soc: float | None = None) -> None:
        """The meter at so many Wh, and if given the power in W and the battery's state of charge in percent."""
        self.meter = meter
        samples = [Sample("Power.Active.Import", str(power_w), "W")] if power_w is not None else []
        samples += [Sample("SoC", str(soc), "Percent")] if soc is not None else []
        read = self._readings("Sample.Periodic", samples)
        if isinstance(self.id, int):
            self._charger._report(MeterValues(self.connector, self.id, read))
        else:
            self._charger._report(Updated(self.id, _now(), self._info("MeterValuePeriodic"), None, read))

    def stop(self, meter: int | None = None, reason: str = "Local", tag: str | None = None) -> str | None:
        """End it, with the meter at so many Wh; returns the status of the ``tag`` that ends it, if any."""
        self.meter = self.meter if meter is None else meter
        if isinstance(self.id, int):
            fact = Stopped(self.id, self.meter, _now(), reason, tag)
        else:
            read = self._readings("Transaction.End", [])
            info = self._info("StopAuthorized" if tag else "EVDeparted", _TOKEN if tag else "")
            fact = Stopped(self.id, self.meter, _now(), reason, tag, read, info)
        verdict = self._charger._report(fact)
        return verdict.status if isinstance(verdict, Authorization) else None

    @property
    def _is_2x(self) -> bool:
        return self._charger.ocpp != "1.6"

    def _info(self, trigger: str, tag_type: str = "", remote_start_id: int | None = None) -> TransactionEventInfo:
        """What each TransactionEvent of it has; they are numbered from 0."""
        number, self._number = self._number, self._number + 1
        return TransactionEventInfo(number, trigger, False, "Charging", self.connector, 1, tag_type, remote_start_id)

    def _readings(self, context: str, samples: Iterable[Sample]) -> list[dict[str, Any]]:
        register = Sample("Energy.Active.Import.Register", str(self.meter), "Wh")
        return self._charger._dialect.readings(_now(), context, [register, *samples])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@cache
def _may_be_accepted(ocpp: str, action: str) -> bool:
    """Whether a command may be answered ``{"status": "Accepted"}``, by the official schema."""
    try:
        schema = source(_FOLDERS[ocpp], action + "Response")
    except OSError:
        return False
    return jsonschema_rs.is_valid(schema, {"status": "Accepted"})
