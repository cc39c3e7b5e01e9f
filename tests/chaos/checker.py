"""Checks the events against the ledger: nothing lost, duplicated, reordered or made up; every command executed at most once, with one result.

Knows nothing of how the gateway works. The definitions are those of FAULTS.md, section 0.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from chaos.command_checks import CommandChecks
from chaos.findings import Audit, Findings
from chaos.ledger import BackendRequest, Ledger, Message, canonical
from chaos.numbers import Numbers

GATEWAY_EVENTS = frozenset(
    {"connect_charger", "disconnect_charger", "late_response", "unresponsive", "duplicate_identity", "handshake_rejected"}
    | {"flapping", "silent", "clock_skew"}
    | {"command_result", "command_followup", "security_event"}
)
"""Events of the gateway's own that these faults may cause; `CommandChecks` checks those of commands."""
UNDER_WAY = 5.0
"""Seconds that a message may be under way before it is refused, as over a slow connection."""
SEQUENCE_EVENTS = frozenset({"seq_gap", "transaction_status"})
"""Events for missing messages of a transaction: right only after damage to a spool, or where a charger left numbers out."""


class Checker:
    """Checks once, at the end."""

    def __init__(
        self,
        ledger: Ledger,
        events: Iterable[bytes],
        seen_at: Iterable[float] = (),
        dead_letters: Iterable[bytes] = (),
        in_flight: Iterable[bytes] = (),
        allow_unreported: bool = False,
        damage: Iterable[str] = (),
    ) -> None:
        """``allow_unreported``: tolerate a command that was executed but has a result without `sent`, as of a gateway that lost in a crash what it had sent.

        ``damage``: the gateway's log lines on a damaged spool; then events that were in it may be missing.
        """
        self.ledger = ledger
        self.damage = list(damage)
        self.audit = Audit(events, seen_at)
        self.events, self.seen_at, self.violation = self.audit.events, self.audit.seen_at, self.audit.violation
        self.counts = self.audit.findings.counts
        self.commands = CommandChecks(ledger, self.audit, dead_letters, in_flight, allow_unreported)
        self._messages: dict[tuple[str, str, str], Message] = {}
        self._events_of: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._reconciled: dict[tuple[str, Any], list[int]] = defaultdict(list)
        self._seq: Counter[str] = Counter()
        self._numbers = Numbers(ledger.messages)
        self._disconnects = Counter(event["data"]["charger"] for event in self.events if event["event"] == "disconnect_charger")

    def check(self) -> Findings:
        """Run all checks."""
        self._index_messages()
        for index, event in enumerate(self.audit.events):
            self._event(index, event)
        for message in self.ledger.messages:
            self._message(message)
        self._order()
        self._transactions()
        self._backend()
        self.commands.check()
        for charger in self.ledger.visitors:
            if self._disconnects[charger] != 1:
                self.violation("other", f"{charger}, whose gateway was killed, left {self._disconnects[charger]} times", self.ledger.now)
        self.counts["chargers that left with their gateway"] = len(self.ledger.visitors)
        for at, failure in self.ledger.failures:
            self.violation("other", failure, at)
        counts = self.counts
        counts["events"] = len(self.audit.events)
        counts["messages"] = len(self.ledger.messages)
        counts["acknowledged"] = sum(each.acknowledged for each in self.ledger.messages)
        counts["sent again"] = sum(len(each.sendings) - 1 for each in self.ledger.messages)
        counts["commands"] = len(self.ledger.pushes)
        counts["executed"] = len(self.ledger.executions)
        return self.audit.findings

    def connected(self) -> list[str]:
        """Those that left with their gateway, and have not been published as disconnected."""
        return [charger for charger in self.ledger.visitors if not self._disconnects[charger]]

    # each event

    def _index_messages(self) -> None:
        for message in self.ledger.messages:
            for key in _keys(message):
                if self._messages.setdefault(key, message) is not message:
                    self.violation("other", f"the harness sent the same content twice: {message}", message.sendings[0].at)

    def _event(self, index: int, event: dict[str, Any]) -> None:
        data, name = event["data"], event["event"]
        charger = data["charger"]
        apart = name in ("handshake_rejected", "authentication_failed") or (name == "security_event" and data["by"] is None)
        numbered = "?" if apart else charger  # those are numbered together
        due = self._seq[numbered] = self._seq[numbered] + 1
        if event["seq"] != due:
            self.violation("gaps", f"{charger} has an event of seq {event['seq']} where {due} was expected", self.seen_at[index], index)
        if event.get("action") is None:
            self._gateway_event(index, name, data)
            return
        action, content = event["action"], canonical(event["payload"])
        message = self._messages.get((charger, action, event["message_id"] if action == "Heartbeat" else content))
        if message is None:
            self.violation("phantoms", f"{charger} never sent this: {canonical(event)[:600]}", self.seen_at[index], index)
        elif name == "message_refused":
            message.refusals.append(canonical(data))
        elif name in SEQUENCE_EVENTS and (self.damage or self._numbers.incomplete(message.numbered)):
            self.counts["sequence events"] += 1
        elif name not in message.expected_events:
            self.violation("phantoms", f"{name} is no event of this message: {message}", self.seen_at[index], index)
        else:
            self._events_of[id(message)][name].append(index)
            self._marks(index, event, message)

    def _marks(self, index: int, event: dict[str, Any], message: Message) -> None:
        """`conflict` is for another message with the same number, and a stop of an unknown start has no start of its own."""
        if event.get("conflict"):
            self.counts["conflicts"] += 1
            if not self._numbers.shared(message):
                self.violation("phantoms", f"no other message has its number: {message}", self.seen_at[index], index)
        if message.stops_unknown and event["event"] == "stop_transaction":
            self.counts["stops of unknown starts"] += 1
            if event["data"]["match"] not in ("none", "by_connector"):
                self.violation("phantoms", f"matched with a start that never was: {message}", self.seen_at[index], index)

    def _gateway_event(self, index: int, name: str, data: dict[str, Any]) -> None:
        if name == "transaction_reconciled":
            self._reconciled[data["charger"], data["transaction_id"]].append(index)
        elif name in SEQUENCE_EVENTS and (self.damage or self._numbers.incomplete((data["charger"], data.get("transaction_id")))):
            self.counts["sequence events"] += 1
        elif name not in GATEWAY_EVENTS:
            self.violation("phantoms", f"an event {name} with {canonical(data)[:300]}", self.seen_at[index], index)

    # each message

    def _message(self, message: Message) -> None:
        published = self._events_of[id(message)]
        if message.refusals and self.ledger.was_restricted(message.charger, message.sendings[0].at, message.sendings[-1].at + UNDER_WAY):
            self.counts["refused by an operator's decision"] += 1
        elif message.refusals:
            self.violation("other", f"a CALLERROR for {message}: {message.refusals}", message.sendings[0].at)
        if message.acknowledged:
            missing = [name for name in message.expected_events if not published[name]]
            if missing and self.damage:
                self.counts["lost by damage"] += 1
            elif missing:
                at = next(each.answered for each in message.sendings if each.answered)
                self.violation("lost", f"no {', '.join(missing)} of {message}", at, self._near(message))
        if message.deduplicated:
            if any(len(indexes) > 1 for indexes in published.values()):
                self._duplicate(message, published)
            return
        for name, indexes in published.items():
            sent = Counter(each.id for each in {(each.connection, each.id): each for each in message.sendings}.values())
            events = Counter(self.events[index]["message_id"] for index in indexes)
            surplus = [each for each, number in events.items() if number > sent[each]]
            if surplus:
                self._duplicate(message, {name: [index for index in indexes if self.events[index]["message_id"] in surplus]})
            self.counts["published again after being sent again"] += len(indexes) - 1

    def _duplicate(self, message: Message, published: dict[str, list[int]]) -> None:
        elements = {name: [f"[{index}] {self.events[index]['id']}" for index in indexes] for name, indexes in published.items()}
        every = [index for indexes in published.values() for index in indexes]
        self.violation("two ids for one message", f"{elements} of {message}", self.seen_at[max(every)], *every)

    def _near(self, message: Message) -> int | None:
        """An event from about the time of a message without one."""
        near = [each for each in self.ledger.messages if each.charger == message.charger and each.sender == message.sender]
        for each in sorted(near, key=lambda other: abs(other.number - message.number)):
            for indexes in self._events_of[id(each)].values():
                if indexes:
                    return indexes[0]
        return None

    def _order(self) -> None:
        first = []
        for position, message in enumerate(self.ledger.messages):
            indexes = [index for each in self._events_of[id(message)].values() for index in each]
            if indexes and not message.refusals:  # a refused one comes after the BootNotification that it had to wait for
                first.append((min(indexes), position))
        first.sort()
        latest: dict[tuple[str, int], tuple[int, int]] = {}
        for index, position in first:
            message = self.ledger.messages[position]
            before = latest.get((message.charger, message.sender))
            if before is not None and message.number < self.ledger.messages[before[1]].number:
                other = self.ledger.messages[before[1]]
                text = f"element {index} of {message}\n    comes after element {before[0]} of {other}"
                self.violation("inversions", text, self.seen_at[index], before[0], index)
            else:
                latest[message.charger, message.sender] = index, position

    def _transactions(self) -> None:
        """A start has one id, in all answers and its event, and no other start has the same id."""
        owners: dict[int, Message] = {}
        for message in self.ledger.messages:
            if not message.starts_transaction:
                continue
            indexes = self._events_of[id(message)]["start_transaction"]
            ids = {*message.transaction_ids, *(self.events[index]["data"]["transaction_id"] for index in indexes)}
            if len(ids) > 1:
                self.violation("two ids for one message", f"transaction ids {sorted(ids)} of {message}", message.sendings[0].at, *indexes)
            for each in ids:
                other = owners.setdefault(each, message)
                if other is not message:
                    text = f"transaction id {each} was given twice: {other}\n    and {message}"
                    self.violation("two ids for one message", text, message.sendings[0].at, *indexes)

    def _backend(self) -> None:
        """All backend requests about a start have the same key; the id in the response is the transaction's, at once or after reconciliation."""
        asked: dict[str, list[BackendRequest]] = defaultdict(list)
        for each in self.ledger.backend_requests:
            asked[each.tag].append(each)
        for tag, requests in asked.items():
            keys = {each.key for each in requests if each.key}
            if len(keys) > 1:
                self.violation("other", f"the backend was asked under {len(keys)} keys for one start: {requests}", requests[0].at)
            if "" not in {each.key for each in requests}:
                self.counts["backend requests repeated under the same key"] += len(requests) - len(keys)
            self.counts["tags asked of the backend"] += 1 if tag else 0
        starts: dict[tuple[str, Any], tuple[int, str]] = {}
        for message in self.ledger.messages:
            for index in self._events_of[id(message)]["start_transaction"]:
                event = self.events[index]
                data = event["data"]
                starts[message.charger, data["transaction_id"]] = index, data["tag"]
                self.counts["provisional starts"] += event.get("provisional") is True
                given = data["transaction_id"] if message.starts_transaction else data.get("backend_id")
                if event.get("provisional") is not True and given not in {each.id for each in asked[data["tag"]]}:
                    self.violation(
                        "phantoms",
                        f"the backend never assigned id {given}, only {asked[data['tag']]}: {message}",
                        self.seen_at[index],
                        index,
                    )
        for (charger, transaction), indexes in self._reconciled.items():
            self.counts["reconciled"] += 1
            begun, tag = starts.get((charger, transaction), (None, ""))
            if len(indexes) > 1:
                self.violation(
                    "two ids for one message", f"{transaction} of {charger} was reconciled twice", self.seen_at[indexes[1]], *indexes
                )
            if begun is None or self.events[begun].get("provisional") is not True:
                self.violation(
                    "phantoms", f"{transaction} of {charger} was reconciled but never provisional", self.seen_at[indexes[0]], *indexes
                )
            elif self.events[indexes[0]]["data"]["backend_id"] not in {each.id for each in asked[tag]}:
                text = f"{transaction} of {charger} was reconciled with an id that the backend never assigned: {asked[tag]}"
                self.violation("phantoms", text, self.seen_at[indexes[0]], *indexes)


def _keys(message: Message) -> list[tuple[str, str, str]]:
    """The keys that identify an event of the message: its content, or its message ids if it has no content."""
    if message.action == "Heartbeat":
        return [(message.charger, message.action, each.id) for each in message.sendings]
    return [(message.charger, message.action, canonical(message.payload))]
