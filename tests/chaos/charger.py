"""Chargers that behave as real ones do: transaction messages are kept until they are answered, in order, over cuts and time-outs.

They share nothing with the gateway's code. All that they say, hear and do is in the ledger. Times are those of a charger in a hurry:
seconds where a real one takes a minute.
"""

from __future__ import annotations

import json
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

from chaos.ledger import Ledger, Message, Sending
from chaos.line import Line

MOST_QUEUED = 200
"""A charger with so much to say begins nothing new."""


@dataclass(frozen=True)
class Habits:
    """How a make of charger behaves where OCPP leaves it the choice (FIELD, "Seen on the wire")."""

    version: str = "1.6"
    same_id: bool = False
    """It sends a message again under the id that it had, not under a new one."""
    counts: bool = False
    """It numbers its messages from 1 on each connection."""
    hangs_up: bool = False
    """A message that is not answered makes it connect anew, not just send again."""
    patience: float = 3.0
    """Seconds that it waits for an answer."""


def habits(number: int, rng: random.Random, patience: float) -> Habits:
    """A fleet has all sorts."""
    return Habits(
        version="2.0.1" if number % 4 == 3 else "1.6",
        same_id=number % 3 == 1,
        counts=number % 5 == 4,
        hangs_up=number % 2 == 1,
        patience=patience * rng.uniform(0.7, 1.3),
    )


@dataclass
class Charge:
    """A transaction as its charger knows it; in 1.6 the id comes with the answer to its start, in 2.x it is the charger's own."""

    tag: str
    id: int | str | None = None
    seq_no: int = -1
    left: int = 3


class Say:
    """Something in a charger's queue; what it says is settled when it is sent for the first time."""

    __slots__ = ("action", "charge", "kept", "make", "message")

    def __init__(self, action: str, make: Callable[[], dict[str, Any]], kept: bool, charge: Charge | None = None) -> None:
        self.action, self.make, self.kept, self.charge = action, make, kept, charge
        self.message: Message | None = None


class Charger:
    """One charger; `begin` it, and `finish` what it is at."""

    def __init__(self, name: str, port: int, seed: str, ledger: Ledger, habits: Habits, pace: float = 1.0) -> None:
        self.name, self.habits, self.ledger, self.pace = name, habits, ledger, pace
        self._port = port
        self._rng = random.Random(seed)
        self._queue: deque[Say] = deque()
        self._charge: Charge | None = None
        self._line: Line | None = None
        self._connection = self._ids = self._tries = self._unanswered = self._serial = 0
        self._sent: dict[str, tuple[Say, Sending]] = {}
        self._outstanding: Say | None = None
        self._timers: dict[str, Any] = {}
        self._connecting: Any = None
        self._stamp = 0
        self._meter = self._rng.randrange(1000, 5000)
        self._others: list[Line] = []
        self.busy, self.offline, self.gone = True, False, False
        self._voices = 0

    # its life

    def begin(self) -> None:
        """Boot, connect and charge cars for as long as it is `busy`."""
        self._queue.append(Say("BootNotification", self._boot, kept=True))
        self._connect()
        self._later("life", self._rng.uniform(0, self.pace), self._live)

    def finish(self) -> None:
        """Begin nothing new; end what has begun."""
        self.busy = self.offline = False
        if self._charge is not None:
            self._charge.left = 0
            self._live()
        if self._line is None and self._connecting is None:
            self._connect()

    @property
    def idle(self) -> bool:
        """Whether it has nothing to say any more."""
        return not self._queue and self._outstanding is None and self._charge is None

    @property
    def state(self) -> str:
        """For whoever wonders why it is not idle."""
        line = "no line" if self._line is None else f"connection {self._connection}{'' if self._line.open else ', not open'}"
        waiting = self._outstanding.message if self._outstanding is not None else None
        return f"{line}, {len(self._queue)} queued, waits for an answer to {waiting}, {self._charge}"

    def end(self) -> None:
        """It is switched off."""
        self.gone = self.offline = True
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
        for line in (self._line, *self._others):
            if line is not None:
                line.hang_up()

    def _later(self, what: str, seconds: float, do: Callable[..., None], *args: Any) -> None:
        timer = self._timers.get(what)
        if timer is not None and timer.active():
            timer.cancel()
        self._timers[what] = reactor.callLater(seconds, do, *args)

    def _live(self) -> None:
        """One step of its life; it goes on while the charger is offline."""
        if len(self._queue) < MOST_QUEUED:
            self._step()
        if self.busy or self._charge is not None:
            self._later("life", self._rng.uniform(0.3, 1.7) * self.pace, self._live)

    def _step(self) -> None:
        dice = self._rng.random()
        if self._charge is None:
            if not self.busy:
                return
            if dice < 0.5:
                self.start_charging()
            elif dice < 0.7:
                self._beat()
            elif dice < 0.8:
                self._queue.append(Say("SecurityEventNotification", self._security, kept=True))
            elif dice < 0.9:
                self._in_passing("DataTransfer", lambda: {"vendorId": "chaos", "messageId": "n", "data": self._unique()})
            else:
                self._in_passing("Authorize", lambda: self._authorize(self._tag()))
        elif self._charge.left > 0:
            self._charge.left -= 1
            self._meter_values(self._charge)
            if dice < 0.3:
                self._beat()
        else:
            self._stop_charging(self._charge)
        self._pump()

    # what it says

    def start_charging(self, tag: str = "", at: float | None = None) -> None:
        """Begin a transaction, if there is none."""
        if self._charge is not None:
            return
        charge = self._charge = Charge(tag or self._tag(), left=self._rng.randrange(1, 6))
        if at is None:
            self._in_passing("StatusNotification", lambda: self._status("Preparing"))
        if self.habits.version == "1.6":
            started = {"connectorId": 1, "idTag": charge.tag, "meterStart": self._read(), "timestamp": self._time(at)}
            self._queue.append(Say("StartTransaction", lambda: started, True, charge))
        else:
            charge.id = f"{self.name}-{self._unique()}"[:36]
            self._event(charge, "Started", "Authorized", at, idToken={"idToken": charge.tag, "type": "ISO14443"})
        if at is None:
            self._in_passing("StatusNotification", lambda: self._status("Charging"))

    def _meter_values(self, charge: Charge, at: float | None = None) -> None:
        if self.habits.version == "1.6":
            reading = self._reading(at)
            self._queue.append(
                Say("MeterValues", lambda: {"connectorId": 1, "transactionId": charge.id, "meterValue": [reading]}, True, charge)
            )
        else:
            self._event(charge, "Updated", "MeterValuePeriodic", at, meterValue=[self._reading(at)])

    def _stop_charging(self, charge: Charge, at: float | None = None) -> None:
        self._charge = None
        if self.habits.version == "1.6":
            data = {"transactionData": [self._reading(at)]} if self._rng.random() < 0.3 else {}
            said = {"meterStop": self._read(), "timestamp": self._time(at), "idTag": charge.tag, "reason": "Local", **data}
            self._queue.append(Say("StopTransaction", lambda: {"transactionId": charge.id, **said}, True, charge))
        else:
            readings = {"meterValue": [self._reading(at)]} if self._rng.random() < 0.5 else {}
            self._event(charge, "Ended", "StopAuthorized", at, **readings)
        if at is None:
            self._in_passing("StatusNotification", lambda: self._status("Available"))

    def _event(self, charge: Charge, kind: str, why: str, at: float | None, **more: Any) -> None:
        charge.seq_no += 1
        info: dict[str, Any] = {
            "transactionId": charge.id,
            **({"stoppedReason": "Local"} if kind == "Ended" else {"chargingState": "Charging"}),
        }
        payload = {
            "eventType": kind, "timestamp": self._time(at), "triggerReason": why, "seqNo": charge.seq_no, "transactionInfo": info,
            "evse": {"id": 1, "connectorId": 1}, **({"offline": True} if at is not None else {}), **more,
        }  # fmt: skip
        self._queue.append(Say("TransactionEvent", lambda: payload, True, charge))

    def remember_hours(self, transactions: int) -> None:
        """It has been offline for hours, and has all that happened meanwhile to tell (F22)."""
        if self._charge is not None:
            self._stop_charging(self._charge)
        begin = time.time() - 3600 * self._rng.uniform(2, 48)
        for number in range(transactions):
            at = begin + 600 * number
            self.start_charging(at=at)
            charge = self._charge
            assert charge is not None
            for sample in range(4):
                self._meter_values(charge, at + 60 * (sample + 1))
            self._stop_charging(charge, at + 500)

    def _beat(self) -> None:
        # A Heartbeat says nothing that it could be known by but its id, which a charger that counts from 1 uses again.
        if not self.habits.counts:
            self._in_passing("Heartbeat", dict)

    def _in_passing(self, action: str, make: Callable[[], dict[str, Any]]) -> None:
        """Say something that is not worth keeping while offline."""
        if self._line is not None:
            self._queue.append(Say(action, make, kept=False))

    def _boot(self) -> dict[str, Any]:
        serial = self._unique()
        if self.habits.version == "1.6":
            return {"chargePointVendor": "Chaos", "chargePointModel": "C16", "chargePointSerialNumber": serial}
        return {"chargingStation": {"vendorName": "Chaos", "model": "C2", "serialNumber": serial}, "reason": "PowerUp"}

    def _status(self, status: str) -> dict[str, Any]:
        if self.habits.version == "1.6":
            return {"connectorId": 1, "errorCode": "NoError", "status": status, "timestamp": self._time()}
        word = "Available" if status == "Available" else "Occupied"
        return {"timestamp": self._time(), "connectorStatus": word, "evseId": 1, "connectorId": 1}

    def _authorize(self, tag: str) -> dict[str, Any]:
        return {"idTag": tag} if self.habits.version == "1.6" else {"idToken": {"idToken": tag, "type": "ISO14443"}}

    def _security(self) -> dict[str, Any]:
        return {"type": "SettingSystemTime", "timestamp": self._time(), "techInfo": self._unique()}

    def _reading(self, at: float | None = None) -> dict[str, Any]:
        value: Any = self._read()
        if self.habits.version == "1.6":
            sample = {"value": str(value), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        else:
            sample = {"value": value, "measurand": "Energy.Active.Import.Register"}
        return {"timestamp": self._time(at), "sampledValue": [sample]}

    def _read(self) -> int:
        self._meter += self._rng.randrange(1, 50)
        return self._meter

    def _unique(self) -> str:
        self._serial += 1
        return f"{self.name[:12]}-{self._serial}"

    def _tag(self) -> str:
        return f"T{self._unique()}"[:20]

    def _time(self, at: float | None = None) -> str:
        """The time by its clock, which is never the same twice."""
        if at is None:
            self._stamp = max(self._stamp + 1, int(time.time() * 1000))
        milliseconds = self._stamp if at is None else int(at * 1000) + self._meter % 1000
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    # its connection

    def _connect(self) -> None:
        if self.offline or self.gone or self._line is not None or self._connecting is not None:
            return
        subprotocol = f"ocpp{self.habits.version}"
        line = Line(
            f"/ocpp/{self.name}", subprotocol, lambda: self._opened(line), lambda text: self._hears(line, text), lambda: self._lost(line)
        )
        self._connecting = connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self._port, timeout=5), line)

        def connected(_: Any) -> None:
            self._connecting, self._line = None, line

        def failed(_: Any) -> None:
            self._connecting = None
            self._again()

        self._connecting.addCallbacks(connected, failed)

    def _opened(self, line: Line) -> None:
        self._connection += 1
        self._tries = self._unanswered = 0
        self._sent.clear()
        if self.habits.counts:
            self._ids = 0
        self._pump()

    def _lost(self, line: Line) -> None:
        if line is not self._line:
            return
        self._line = None
        self._cut()
        self._again()

    def _cut(self) -> None:
        self._outstanding = None
        timer = self._timers.get("answer")
        if timer is not None and timer.active():
            timer.cancel()

    def _again(self) -> None:
        if not self.offline and not self.gone:
            self._tries += 1
            self._later("again", self._rng.uniform(0.05, min(1.0, 0.1 * 1.5**self._tries)), self._connect)

    def go_offline(self, seconds: float) -> None:
        """Hang up and stay away for so long."""
        self.offline = True
        if self._line is not None:
            self._line.hang_up()
        self._later("back", seconds, self.come_back)

    def come_back(self) -> None:
        """Be online again."""
        if not self.gone:
            self.offline = False
            self._connect()

    # one CALL at a time

    def _pump(self) -> None:
        line = self._line
        if line is None or not line.open or self._outstanding is not None or not self._queue:
            return
        say = self._queue[0]
        if not say.kept:
            self._queue.popleft()
        self._outstanding = say
        if say.message is None:
            say.message = Message(self.name, say.action, say.make(), say.kept)
        first = say.message.sendings[0].id if say.message.sendings else ""
        id = first if first and self.habits.same_id and not self.habits.counts else self._id()
        self._sent[id] = say, self.ledger.sent(say.message, self._connection, id)
        self._later("answer", self.habits.patience * self._rng.uniform(0.8, 1.2), self._unheard, say)
        line.say(json.dumps([2, id, say.action, say.message.payload], separators=(",", ":")))

    def _id(self) -> str:
        self._ids += 1
        return str(self._ids) if self.habits.counts else f"{self.name}-{self._ids}"

    def _unheard(self, say: Say) -> None:
        if self._outstanding is not say or self._line is None:
            return
        self._outstanding = None
        self._unanswered += 1
        if self.habits.hangs_up or self._unanswered > 2:
            self._line.hang_up()
        else:
            self._pump()

    def _hears(self, line: Line, text: bytes) -> None:
        frame = json.loads(text)
        if frame[0] == 2:
            self._asked(line, frame[1], frame[2], frame[3], self._connection)
            return
        say, sending = self._sent.get(frame[1], (None, None))
        if say is None or sending is None or say.message is None:
            self.ledger.complain(f"{self.name} was answered a message that it never sent on this connection: {text[:300]!r}")
            return
        message = say.message
        if frame[0] == 4:
            message.refusals.append(f"{self.ledger.now:.2f}s id={frame[1]} {text[:300]!r}")
        else:
            sending.answered = sending.answered or self.ledger.now
            if message.starts:
                message.transaction_ids.append(frame[2]["transactionId"])
        # What comes after it has been sent again is taken note of, but a charger in the field waits for the answer to its last try.
        if say is self._outstanding and sending is message.sendings[-1]:
            self._cut()
            self._unanswered = 0
            if frame[0] == 4 and say.kept:  # it tries again, as firmware does
                self._later("again", 0.5, self._pump)
                return
            if say.kept:
                self._queue.popleft()
            if message.starts and say.charge is not None:
                say.charge.id = frame[2]["transactionId"]
            self._pump()

    # what it is asked

    def _asked(self, line: Line, id: str, action: str, payload: dict[str, Any], connection: int) -> None:
        dice = self._rng.random()
        if dice < 0.75:
            reply, after = "at once", 0.0
        elif dice < 0.85:
            reply, after = "late", self._rng.choice((0.3, 1.0, 4.0))
        elif dice < 0.9:
            reply, after = "never", 0.0
        elif dice < 0.95:
            reply, after = "hangs up", 0.0
        else:
            reply, after = "error", 0.0
        self.ledger.did(self.name, id, action, payload, connection, reply)
        if reply == "hangs up":
            line.hang_up()
        elif reply == "error":
            line.say(json.dumps([4, id, "InternalError", "", {}]))
        elif reply == "late":
            reactor.callLater(after, lambda: line.open and line.say(json.dumps([3, id, answer(action, payload)])))
        elif reply == "at once":
            line.say(json.dumps([3, id, answer(action, payload)]))
            if action in ("RemoteStartTransaction", "RequestStartTransaction") and self.busy and line is self._line:
                tag = payload.get("idTag") or payload["idToken"]["idToken"]
                self.start_charging(tag=tag)
                self._pump()

    # its double

    def double(self, seconds: float) -> None:
        """Somebody else connects with its identity, says a few words and stays for a while (F12)."""
        self._voices += 1
        voice = self._voices
        words = deque(
            Message(self.name, "DataTransfer", {"vendorId": "chaos", "messageId": "double", "data": self._unique()}, False, voice)
            for _ in range(self._rng.randrange(0, 4))
        )
        sent: dict[str, Sending] = {}

        def more() -> None:
            if words and line.open:
                message = words.popleft()
                id = f"{self.name}-double-{voice}-{len(words)}"
                sent[id] = self.ledger.sent(message, -voice, id)
                line.say(json.dumps([2, id, message.action, message.payload]))

        def heard(text: bytes) -> None:
            frame = json.loads(text)
            if frame[0] == 2:
                self._asked(line, frame[1], frame[2], frame[3], -voice)
            elif frame[0] == 3:
                sent[frame[1]].answered = self.ledger.now
                more()

        def lost() -> None:
            if line in self._others:
                self._others.remove(line)

        line = Line(f"/ocpp/{self.name}", f"ocpp{self.habits.version}", more, heard, lost)
        self._others.append(line)
        connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self._port, timeout=5), line).addErrback(lambda _: lost())
        reactor.callLater(seconds, lambda: line.transport is not None and line.close())


def answer(action: str, payload: dict[str, Any]) -> dict[str, Any]:
    """What a charger answers a command that it carries out."""
    if action == "GetConfiguration":
        return {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}], "unknownKey": []}
    if action == "GetVariables":
        asked = payload["getVariableData"]
        return {"getVariableResult": [{"attributeStatus": "Accepted", "attributeValue": "1", **each} for each in asked]}
    if action == "SetVariables":
        plain = [{name: value for name, value in each.items() if name != "attributeValue"} for each in payload["setVariableData"]]
        return {"setVariableResult": [{"attributeStatus": "Accepted", **each} for each in plain]}
    return {"status": "Accepted"}
