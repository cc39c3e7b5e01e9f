"""The central system of the simulator's tests, in memory.

It validates every message against OCPP's own schemas and asserts that a charger has one CALL in flight at a time.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import jsonschema_rs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ocpp_tw.simulator.charger import SimulatedCharger
from ocpp_tw.simulator.dialect import Dialect
from ocpp_tw.simulator.simulated_clock import SimulatedClock
from ocpp_tw.simulator.v16.dialect import V16
from payloads import schema

START = 1_790_000_000.0
NOW = "2026-11-23T08:00:00Z"


FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}


@cache
def validator(name: str, ocpp: str = "1.6") -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(schema(FOLDERS[ocpp], name), validate_formats=True)


def check(name: str, payload: Any, ocpp: str = "1.6") -> None:
    """Assert that a payload of the simulator is valid, timestamps included."""
    if ocpp != "1.6" and not name.endswith(("Response", "NotifyPeriodicEventStream")):
        name += "Request"
    schema_validator = validator(name, ocpp)
    assert schema_validator.is_valid(payload), (name, payload, [each.message for each in schema_validator.iter_errors(payload)])


def short(action: str, payload: Any) -> str:
    """A message in a few words."""
    if action == "StatusNotification":
        return f"{payload.get('evseId', payload['connectorId'])}:{payload.get('connectorStatus') or payload['status']}"
    if action == "TransactionEvent":
        return f"{payload['eventType']} {payload['triggerReason']} {payload['transactionInfo']['chargingState']}"
    return action


class Answers:
    """The central system's answer to each action: a payload, a function of the request, a CALLERROR code, or None for no answer."""

    def __init__(self, ocpp: str = "1.6") -> None:
        self.ocpp = ocpp
        self.transactions = 0
        self.by_action: dict[str, Any] = {
            "BootNotification": {"status": "Accepted", "currentTime": NOW, "interval": 300},
            "Heartbeat": {"currentTime": NOW},
            "Authorize": {"idTagInfo": {"status": "Accepted"}},
            "StartTransaction": self._start,
            "DataTransfer": {"status": "Accepted"},
            "SignCertificate": {"status": "Accepted"},
        }
        if ocpp != "1.6":
            self.by_action["Authorize"] = {"idTokenInfo": {"status": "Accepted"}}
            self.by_action["TransactionEvent"] = lambda event: {"idTokenInfo": {"status": "Accepted"}} if "idToken" in event else {}
            self.by_action["OpenPeriodicEventStream"] = {"status": "Accepted"}

    def _start(self, _: Any) -> Any:
        self.transactions += 1
        return {"idTagInfo": {"status": "Accepted"}, "transactionId": self.transactions}

    def __setitem__(self, action: str, answer: Any) -> None:
        self.by_action[action] = answer

    def to(self, frame: list[Any]) -> list[Any] | None:
        _, id, action, payload = frame
        check(action, payload, self.ocpp)
        answer = self.by_action.get(action, {})
        if callable(answer):
            answer = answer(payload)
        if answer is None:
            return None
        return [4, id, answer, "", {}] if isinstance(answer, str) else [3, id, answer]


class Central:
    """The central system's end of a connection in memory; answers take a millisecond on the clock."""

    def __init__(self, dialect: Dialect = V16, **charger: Any) -> None:
        self.clock = Clock()
        self.answers = Answers(dialect.ocpp)
        self.streamed: list[Any] = []
        self.frames: list[list[Any]] = []
        self.closed: tuple[int, str] | None = None
        self.unanswered: dict[str, float] = {}
        self.responses: dict[str, Any] = {}
        self._ids = 0
        speed_up = charger.pop("speed_up", 1.0)
        self.charger = SimulatedCharger("CP1", SimulatedClock(self.clock, speed_up, START), dialect, **charger)

    # ocpp_tw.simulator.rpc.Transport

    def send(self, text: bytes) -> None:
        frame = json.loads(text)
        if frame[0] == 2:
            now = self.clock.seconds()
            assert all(now - sent > 29.9 for sent in self.unanswered.values()), f"sent {frame[2]} before the answer to {self.unanswered}"
            self.frames.append(frame)
            self.unanswered[frame[1]] = now
            answer = self.answers.to(frame)
            if answer is not None:
                self.clock.callLater(0.001, self.deliver, answer, self.connection)
        elif frame[0] == 6:
            check(frame[2], frame[3], self.answers.ocpp)
            self.streamed.append(frame[3])
        else:
            self.responses[frame[1]] = frame

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        self.disconnect()

    def drop(self) -> None:
        self.closed = (1006, "")
        self.disconnect()

    # the connection

    connection = 0

    def connect(self) -> Central:
        """The connection is up."""
        self.connection += 1
        self.unanswered.clear()
        self.charger.connected(self)
        return self.run(0.1)

    def start_charging(self, tag: str = "TAG") -> Central:
        """The connection is up, and a transaction is running on connector 1."""
        self.connect()
        Deferred.fromCoroutine(self.charger.authorize_and_start(tag))
        return self.run(0.1)

    def disconnect(self) -> None:
        """The connection breaks."""
        self.connection += 1
        self.unanswered.clear()
        self.charger.lost()

    def deliver(self, frame: Any, connection: int | None = None) -> None:
        if connection in (None, self.connection):
            self.unanswered.pop(frame[1], None)
            self.charger.received(json.dumps(frame).encode())

    def run(self, seconds: float) -> Central:
        """Let real time pass."""
        steps = max(10, min(2000, int(seconds * 20)))
        self.clock.pump([seconds / steps] * steps)
        return self

    # the test

    def raw(self, action: str, payload: Any) -> list[Any]:
        """Send a command and return the whole answer."""
        self._ids += 1
        self.deliver([2, f"c{self._ids}", action, payload])
        frame: list[Any] = self.responses.pop(f"c{self._ids}")
        return frame

    def command(self, action: str, payload: Any = None) -> Any:
        """Send a command and return the answer's payload, which is valid."""
        kind, _, answer = self.raw(action, {} if payload is None else payload)
        assert kind == 3
        check(action + "Response", answer, self.answers.ocpp)
        return answer

    def payloads(self, *actions: str) -> list[Any]:
        """The payloads of the messages of these actions since the last call of this or `names`; all others are forgotten."""
        frames, self.frames = self.frames, []
        return [frame[3] for frame in frames if frame[2] in actions]

    def names(self) -> list[str]:
        """The messages since the last call of this or `payloads`, each in a few words."""
        frames, self.frames = self.frames, []
        return [short(*frame[2:]) for frame in frames]

    def shut_down(self) -> None:
        """Shut the charger down; no timer may be left."""
        self.charger.shut_down()
        assert [each for each in self.clock.getDelayedCalls() if each.func != self.deliver] == []


def stamp(seconds: float) -> str:
    """The timestamp that many simulated seconds after `START`."""
    return datetime.fromtimestamp(START + seconds, UTC).isoformat().replace("+00:00", "Z")


def events(central: Central) -> list[Any]:
    """The payloads of the TransactionEvents since the last call."""
    payloads: list[Any] = central.payloads("TransactionEvent")
    return payloads


def gapless(sent: list[Any]) -> bool:
    """Whether the events of every transaction begin with Started, are in order and have no gap."""
    by_id: dict[str, list[Any]] = {}
    for each in sent:
        by_id.setdefault(each["transactionInfo"]["transactionId"], []).append(each)
    return all(
        [each["seqNo"] for each in group] == list(range(len(group)))
        and [each["eventType"] == "Started" for each in group] == [True] + [False] * (len(group) - 1)
        and "Ended" not in [each["eventType"] for each in group[:-1]]
        and [each["timestamp"] for each in group] == sorted(each["timestamp"] for each in group)
        for group in by_id.values()
    )


def certificate() -> str:
    """A root certificate with the serial number 77, as PEM."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(77)
    return (
        built.not_valid_before(begin).not_valid_after(begin + timedelta(365)).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    )
