"""Holds the events against the ledger: nothing lost, nothing twice, in order, nothing made up, every command done once and told once.

Knows nothing of how the gateway came to tell what it told. The definitions are those of FAULTS.md, section 0.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from chaos.commands import Commands
from chaos.evidence import Evidence, Findings
from chaos.ledger import Asked, Ledger, Message, canonical

OWN = frozenset(
    {"connect_charger", "disconnect_charger", "late_response", "unresponsive", "duplicate_identity", "handshake_rejected"}
    | {"flapping", "silent", "clock_skew"}
    | {"command_result", "command_followup"}
)
"""Events of the gateway's own that may come of what is done to it here; those of commands are looked into by `Commands`."""

AMISS = frozenset({"seq_gap", "transaction_status"})
"""Events that say that messages of a transaction are missing. These chargers leave none out, so they are true only where a spool was damaged."""


class Checker:
    """Checks once, at the end."""

    def __init__(
        self,
        ledger: Ledger,
        events: Iterable[bytes],
        came: Iterable[float] = (),
        graves: Iterable[bytes] = (),
        in_hand: Iterable[bytes] = (),
        untold: bool = False,
        damage: Iterable[str] = (),
    ) -> None:
        """``untold``: put up with a command that was done and is told as never sent, as of a gateway that forgot in a crash what it had sent.

        ``damage``: what the gateway said of a damaged spool; then what was in it may be missing.
        """
        self.ledger = ledger
        self.damage = list(damage)
        self.evidence = Evidence(events, came)
        self.events, self.came, self.found = self.evidence.events, self.evidence.came, self.evidence.found
        self.counts = self.evidence.findings.counts
        self.commands = Commands(ledger, self.evidence, graves, in_hand, untold)
        self._messages: dict[tuple[str, str, str], Message] = {}
        self._told: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._reconciled: dict[tuple[str, Any], list[int]] = defaultdict(list)
        self._seq: Counter[str] = Counter()

    def check(self) -> Findings:
        """All that is wrong."""
        self._know_messages()
        for index, event in enumerate(self.evidence.events):
            self._event(index, event)
        for message in self.ledger.messages:
            self._message(message)
        self._order()
        self._transactions()
        self._backend()
        self.commands.check()
        for at, note in self.ledger.notes:
            self.found("other", note, at)
        counts = self.counts
        counts["events"] = len(self.evidence.events)
        counts["messages"] = len(self.ledger.messages)
        counts["acknowledged"] = sum(each.acknowledged for each in self.ledger.messages)
        counts["sent again"] = sum(len(each.sendings) - 1 for each in self.ledger.messages)
        counts["commands"] = len(self.ledger.pushes)
        counts["executed"] = len(self.ledger.executions)
        return self.evidence.findings

    # each event

    def _know_messages(self) -> None:
        for message in self.ledger.messages:
            for key in _keys(message):
                if self._messages.setdefault(key, message) is not message:
                    self.found("other", f"the harness said the same twice: {message}", message.sendings[0].at)

    def _event(self, index: int, event: dict[str, Any]) -> None:
        data, name = event["data"], event["event"]
        charger = data["charger"]
        due = self._seq[charger] = self._seq[charger] + 1
        if event["seq"] != due:
            self.found("gaps", f"{charger} has an event of seq {event['seq']} where {due} was due", self.came[index], index)
        if event.get("action") is None:
            self._own(index, name, data)
            return
        action, content = event["action"], canonical(event["payload"])
        message = self._messages.get((charger, action, event["message_id"] if action == "Heartbeat" else content))
        if message is None:
            self.found("phantoms", f"{charger} never sent this: {canonical(event)[:600]}", self.came[index], index)
        elif name == "message_refused":
            message.refusals.append(canonical(data))
        elif name in AMISS and self.damage:
            self.counts["told as amiss with what was damaged"] += 1
        elif name not in message.told:
            self.found("phantoms", f"{name} is nothing that this message means: {message}", self.came[index], index)
        else:
            self._told[id(message)][name].append(index)

    def _own(self, index: int, name: str, data: dict[str, Any]) -> None:
        if name == "transaction_reconciled":
            self._reconciled[data["charger"], data["transaction_id"]].append(index)
        elif name not in OWN and not (name in AMISS and self.damage):
            self.found("phantoms", f"an event {name} with {canonical(data)[:300]}", self.came[index], index)

    # each message

    def _message(self, message: Message) -> None:
        told = self._told[id(message)]
        if message.refusals:
            self.found("other", f"a CALLERROR for {message}: {message.refusals}", message.sendings[0].at)
        if message.acknowledged:
            missing = [name for name in message.told if not told[name]]
            if missing and self.damage:
                self.counts["lost with what was damaged"] += 1
            elif missing:
                at = next(each.answered for each in message.sendings if each.answered)
                self.found("lost", f"no {', '.join(missing)} of {message}", at, self._near(message))
        if message.once:
            if any(len(indexes) > 1 for indexes in told.values()):
                self._twice(message, told)
            return
        for name, indexes in told.items():
            sent = Counter(each.id for each in {(each.connection, each.id): each for each in message.sendings}.values())
            events = Counter(self.events[index]["message_id"] for index in indexes)
            over = [each for each, number in events.items() if number > sent[each]]
            if over:
                self._twice(message, {name: [index for index in indexes if self.events[index]["message_id"] in over]})
            self.counts["told again after it was sent again"] += len(indexes) - 1

    def _twice(self, message: Message, told: dict[str, list[int]]) -> None:
        elements = {name: [f"[{index}] {self.events[index]['id']}" for index in indexes] for name, indexes in told.items()}
        every = [index for indexes in told.values() for index in indexes]
        self.found("two ids for one message", f"{elements} of {message}", self.came[max(every)], *every)

    def _near(self, message: Message) -> int | None:
        """An event from about the time of a message that has none."""
        near = [each for each in self.ledger.messages if each.charger == message.charger and each.voice == message.voice]
        for each in sorted(near, key=lambda other: abs(other.number - message.number)):
            for indexes in self._told[id(each)].values():
                if indexes:
                    return indexes[0]
        return None

    def _order(self) -> None:
        first = []
        for position, message in enumerate(self.ledger.messages):
            indexes = [index for each in self._told[id(message)].values() for index in each]
            if indexes:
                first.append((min(indexes), position))
        first.sort()
        latest: dict[tuple[str, int], tuple[int, int]] = {}
        for index, position in first:
            message = self.ledger.messages[position]
            before = latest.get((message.charger, message.voice))
            if before is not None and message.number < self.ledger.messages[before[1]].number:
                other = self.ledger.messages[before[1]]
                text = f"element {index} of {message}\n    comes after element {before[0]} of {other}"
                self.found("inversions", text, self.came[index], before[0], index)
            else:
                latest[message.charger, message.voice] = index, position

    def _transactions(self) -> None:
        """A start has one id, over all answers and its event; and no other start has it."""
        owners: dict[int, Message] = {}
        for message in self.ledger.messages:
            if not message.starts:
                continue
            indexes = self._told[id(message)]["start_transaction"]
            ids = {*message.transaction_ids, *(self.events[index]["data"]["transaction_id"] for index in indexes)}
            if len(ids) > 1:
                self.found("two ids for one message", f"transaction ids {sorted(ids)} of {message}", message.sendings[0].at, *indexes)
            for each in ids:
                other = owners.setdefault(each, message)
                if other is not message:
                    text = f"transaction id {each} was given twice: {other}\n    and {message}"
                    self.found("two ids for one message", text, message.sendings[0].at, *indexes)

    def _backend(self) -> None:
        """A start is one question to the backend, however often it is put; its answer is the transaction's id, at once or later."""
        asked: dict[str, list[Asked]] = defaultdict(list)
        for each in self.ledger.asked:
            asked[each.tag].append(each)
        for tag, questions in asked.items():
            keys = {each.key for each in questions if each.key}
            if len(keys) > 1:
                self.found("other", f"the backend was asked under {len(keys)} keys for one start: {questions}", questions[0].at)
            if "" not in {each.key for each in questions}:
                self.counts["asked again under the same key"] += len(questions) - len(keys)
            self.counts["asked of the backend"] += 1 if tag else 0
        starts: dict[tuple[str, Any], tuple[int, str]] = {}
        for message in self.ledger.messages:
            for index in self._told[id(message)]["start_transaction"]:
                event = self.events[index]
                data = event["data"]
                starts[message.charger, data["transaction_id"]] = index, data["tag"]
                self.counts["provisional starts"] += event.get("provisional") is True
                given = data["transaction_id"] if message.starts else data.get("backend_id")
                if event.get("provisional") is not True and given not in {each.id for each in asked[data["tag"]]}:
                    self.found("phantoms", f"the backend gave no id {given}, but {asked[data['tag']]}: {message}", self.came[index], index)
        for (charger, transaction), indexes in self._reconciled.items():
            self.counts["reconciled"] += 1
            begun, tag = starts.get((charger, transaction), (None, ""))
            if len(indexes) > 1:
                self.found("two ids for one message", f"{transaction} of {charger} was reconciled twice", self.came[indexes[1]], *indexes)
            if begun is None or self.events[begun].get("provisional") is not True:
                self.found("phantoms", f"{transaction} of {charger} was reconciled but never provisional", self.came[indexes[0]], *indexes)
            elif self.events[indexes[0]]["data"]["backend_id"] not in {each.id for each in asked[tag]}:
                text = f"{transaction} of {charger} was reconciled with what the backend never said: {asked[tag]}"
                self.found("phantoms", text, self.came[indexes[0]], *indexes)


def _keys(message: Message) -> list[tuple[str, str, str]]:
    """What an event of the message can be known by: its content, or its ids if it has none."""
    if message.action == "Heartbeat":
        return [(message.charger, message.action, each.id) for each in message.sendings]
    return [(message.charger, message.action, canonical(message.payload))]
