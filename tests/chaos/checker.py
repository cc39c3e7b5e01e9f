"""Holds the events against the ledger: nothing lost, nothing twice, in order, nothing made up, every command done once and told once.

Knows nothing of how the gateway came to tell what it told. The definitions are those of FAULTS.md, section 0.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from chaos.ledger import Asked, Ledger, Message, Push, canonical

COLUMNS = (
    "lost",
    "two ids for one message",
    "inversions",
    "gaps",
    "phantoms",
    "commands without exactly one result",
    "commands executed twice",
    "other",
)

OWN = frozenset(
    {"connect_charger", "disconnect_charger", "command_result", "late_response", "unresponsive", "duplicate_identity", "handshake_rejected"}
)
"""Events of the gateway's own that may come of what is done to it here, as often as they like."""

AMISS = frozenset({"seq_gap", "transaction_status"})
"""Events that say that messages of a transaction are missing. These chargers leave none out, so they are true only where a spool was damaged."""

SENT = frozenset({"result", "error", "timeout", "connection_lost"})
"""Outcomes that say that the charger was sent the command."""


@dataclass(slots=True)
class Violation:
    """What must not be, when (seconds of the ledger), and all that an engineer needs to find out why."""

    column: str
    text: str
    at: float
    around: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Findings:
    """``counts`` tells how much was checked, so that a row of zeroes can be told from a test of nothing."""

    violations: list[Violation] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def column(self, name: str) -> int:
        return sum(each.column == name for each in self.violations)


class Checker:
    """Checks once, at the end; ``came`` has the time at which each event was seen."""

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
        self.events: list[dict[str, Any]] = [msgspec.json.decode(each) for each in events]
        self.came = list(came) or [0.0] * len(self.events)
        self.graves = [msgspec.json.decode(each) for each in graves]
        self.in_hand = list(in_hand)
        self.untold = untold
        self.damage = list(damage)
        self.findings = Findings()
        self._of: dict[str, list[int]] = defaultdict(list)
        self._messages: dict[tuple[str, str, str], Message] = {}
        self._told: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._results: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._followups: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._reconciled: dict[tuple[str, Any], list[int]] = defaultdict(list)

    def check(self) -> Findings:
        """All that is wrong."""
        self._know_messages()
        for index, event in enumerate(self.events):
            self._event(index, event)
        for message in self.ledger.messages:
            self._message(message)
        self._order()
        self._transactions()
        self._backend()
        self._commands()
        self._graves()
        for at, note in self.ledger.notes:
            self._found("other", note, at)
        counts = self.findings.counts
        counts["events"] = len(self.events)
        counts["messages"] = len(self.ledger.messages)
        counts["acknowledged"] = sum(each.acknowledged for each in self.ledger.messages)
        counts["sent again"] = sum(len(each.sendings) - 1 for each in self.ledger.messages)
        counts["commands"] = len(self.ledger.pushes)
        counts["executed"] = len(self.ledger.executions)
        return self.findings

    def unanswered(self) -> int:
        """How many commands that were pushed for certain have no result yet."""
        results = Counter((e["data"]["charger"], e["data"]["id"]) for e in self.events if e["event"] == "command_result")
        wanted = Counter((each.charger, each.id) for each in self.ledger.pushes if each.state == "certain" and each.id)
        return (wanted - results).total()

    # each event

    def _know_messages(self) -> None:
        for message in self.ledger.messages:
            for key in _keys(message):
                if self._messages.setdefault(key, message) is not message:
                    self._found("other", f"the harness said the same twice: {message}", message.sendings[0].at)

    def _event(self, index: int, event: dict[str, Any]) -> None:
        data, name = event["data"], event["event"]
        charger = data["charger"]
        mine = self._of[charger]
        mine.append(index)
        if event["seq"] != len(mine):
            self._found("gaps", f"{charger} has an event of seq {event['seq']} where {len(mine)} was due", self.came[index], index)
        if event.get("action") is None:
            self._own(index, name, data)
            return
        action, content = event["action"], canonical(event["payload"])
        message = self._messages.get((charger, action, event["message_id"] if action == "Heartbeat" else content))
        if message is None:
            self._found("phantoms", f"{charger} never sent this: {canonical(event)[:600]}", self.came[index], index)
        elif name == "message_refused":
            message.refusals.append(canonical(data))
        elif name in AMISS and self.damage:
            self.findings.counts["told as amiss with what was damaged"] += 1
        elif name not in message.told:
            self._found("phantoms", f"{name} is nothing that this message means: {message}", self.came[index], index)
        else:
            self._told[id(message)][name].append(index)

    def _own(self, index: int, name: str, data: dict[str, Any]) -> None:
        if name == "command_result":
            self._results[data["charger"], data["id"]].append(index)
        elif name == "command_followup":
            self._followups[data["charger"], data["id"]].append(index)
        elif name == "transaction_reconciled":
            self._reconciled[data["charger"], data["transaction_id"]].append(index)
        elif name not in OWN and not (name in AMISS and self.damage):
            self._found("phantoms", f"an event {name} with {canonical(data)[:300]}", self.came[index], index)

    # each message

    def _message(self, message: Message) -> None:
        told = self._told[id(message)]
        if message.refusals:
            self._found("other", f"a CALLERROR for {message}: {message.refusals}", message.sendings[0].at)
        if message.acknowledged:
            missing = [name for name in message.told if not told[name]]
            if missing and self.damage:
                self.findings.counts["lost with what was damaged"] += 1
            elif missing:
                at = next(each.answered for each in message.sendings if each.answered)
                self._found("lost", f"no {', '.join(missing)} of {message}", at, self._near(message))
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
            self.findings.counts["told again after it was sent again"] += len(indexes) - 1

    def _twice(self, message: Message, told: dict[str, list[int]]) -> None:
        elements = {name: [f"[{index}] {self.events[index]['id']}" for index in indexes] for name, indexes in told.items()}
        every = [index for indexes in told.values() for index in indexes]
        self._found("two ids for one message", f"{elements} of {message}", self.came[max(every)], *every)

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
                self._found("inversions", text, self.came[index], before[0], index)
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
                self._found("two ids for one message", f"transaction ids {sorted(ids)} of {message}", message.sendings[0].at, *indexes)
            for each in ids:
                other = owners.setdefault(each, message)
                if other is not message:
                    text = f"transaction id {each} was given twice: {other}\n    and {message}"
                    self._found("two ids for one message", text, message.sendings[0].at, *indexes)

    def _backend(self) -> None:
        """A start is one question to the backend, however often it is put; its answer is the transaction's id, at once or later."""
        asked: dict[str, list[Asked]] = defaultdict(list)
        for each in self.ledger.asked:
            asked[each.tag].append(each)
        for tag, questions in asked.items():
            keys = {each.key for each in questions if each.key}
            if len(keys) > 1:
                self._found("other", f"the backend was asked under {len(keys)} keys for one start: {questions}", questions[0].at)
            if "" not in {each.key for each in questions}:
                self.findings.counts["asked again under the same key"] += len(questions) - len(keys)
            self.findings.counts["asked of the backend"] += 1 if tag else 0
        starts: dict[tuple[str, Any], tuple[int, str]] = {}
        for message in self.ledger.messages:
            for index in self._told[id(message)]["start_transaction"]:
                event = self.events[index]
                data = event["data"]
                starts[message.charger, data["transaction_id"]] = index, data["tag"]
                self.findings.counts["provisional starts"] += event.get("provisional") is True
                given = data["transaction_id"] if message.starts else data.get("backend_id")
                if event.get("provisional") is not True and given not in {each.id for each in asked[data["tag"]]}:
                    self._found("phantoms", f"the backend gave no id {given}, but {asked[data['tag']]}: {message}", self.came[index], index)
        for (charger, transaction), indexes in self._reconciled.items():
            self.findings.counts["reconciled"] += 1
            begun, tag = starts.get((charger, transaction), (None, ""))
            if len(indexes) > 1:
                self._found("two ids for one message", f"{transaction} of {charger} was reconciled twice", self.came[indexes[1]], *indexes)
            if begun is None or self.events[begun].get("provisional") is not True:
                self._found("phantoms", f"{transaction} of {charger} was reconciled but never provisional", self.came[indexes[0]], *indexes)
            elif self.events[indexes[0]]["data"]["backend_id"] not in {each.id for each in asked[tag]}:
                text = f"{transaction} of {charger} was reconciled with what the backend never said: {asked[tag]}"
                self._found("phantoms", text, self.came[indexes[0]], *indexes)

    # commands

    def _commands(self) -> None:
        pushes: dict[tuple[str, str], list[Push]] = defaultdict(list)
        for push in self.ledger.pushes:
            if push.id and push.state != "never":
                pushes[push.charger, push.id].append(push)
        done: Counter[tuple[str, str]] = Counter()
        for execution in self.ledger.executions:
            key = execution.charger, execution.id
            done[key] += 1
            wanted = next((each.payload for each in pushes[key] if each.payload is not None), None)
            if not pushes[key]:
                self._found("phantoms", f"a command that nobody gave: {execution}", execution.at)
            elif wanted is not None and canonical(wanted) != canonical(execution.payload):
                self._found("phantoms", f"not what was ordered, {canonical(wanted)}: {execution}", execution.at)
        for key, indexes in self._results.items():
            if not pushes[key]:
                self._found("phantoms", f"a result of a command that nobody gave: {key}", self.came[indexes[0]], *indexes)
        for key, indexes in self._followups.items():
            if not done[key] or len(indexes) > 1:
                text = f"{len(indexes)} follow-ups of {key}, which was done {done[key]} times"
                self._found("phantoms", text, self.came[indexes[0]], *indexes, *self._results[key])
        for key, group in pushes.items():
            if group:
                self._command(key, group, done[key])
        for element in self.in_hand:
            self._found("commands without exactly one result", f"still in hand when all was over: {element!r}", self.ledger.now)

    def _command(self, key: tuple[str, str], group: list[Push], executed: int) -> None:
        indexes = self._results[key]
        outcomes = [self.events[index]["data"]["outcome"] for index in indexes]
        self.findings.counts.update(f"outcome {each}" for each in outcomes)
        certain = max(sum(each.state == "certain" for each in group), min(1, executed))
        executions = [each for each in self.ledger.executions if (each.charger, each.id) == key] if executed else []
        what = f"{group[0].kind} command {key[1]} for {key[0]} ({group[0].element}), pushed " + ", ".join(
            f"{each.at:.2f}s {each.state}" for each in group
        ) + f"; executed {[f'{each.at:.2f}s c{each.connection} {each.reply}' for each in executions]}; results {outcomes}"  # fmt: skip
        if not certain <= len(outcomes) <= len(group):
            self._found("commands without exactly one result", what, group[0].at, *indexes)
        elif self.untold and not SENT & set(outcomes):
            self.findings.counts["done, but not told so"] += bool(executed)
        elif executed and not SENT & set(outcomes):
            self._found("commands without exactly one result", f"done, but not told so: {what}", group[0].at, *indexes)
        elif strange := set(outcomes) - set(group[0].expected):
            self._found("commands without exactly one result", f"{strange} is no outcome of this: {what}", group[0].at, *indexes)
        if executed > 1:
            self._found("commands executed twice", what, executions[1].at, *indexes)
        sent = {self.events[index]["data"]["outcome"] for index in indexes if self.events[index]["data"].get("sent")}
        if not executed and {"result", "error"} & sent:
            self._found("phantoms", f"told, but never done: {what}", group[0].at, *indexes)

    def _graves(self) -> None:
        buried = Counter(each["element"] for each in self.graves)
        for push in self.ledger.pushes:
            if push.kind == "unreadable" and push.state != "never":
                number = buried.pop(push.element, 0)
                if number > 1 or (number == 0 and push.state == "certain"):
                    text = f"put into commands:dead {number} times: {push.element} ({push.state})"
                    self._found("commands without exactly one result", text, push.at)
        for element in buried:
            self._found("commands without exactly one result", f"put into commands:dead: {element}", self.ledger.now)

    # telling

    def _found(self, column: str, text: str, at: float, *indexes: int | None) -> None:
        marked = {each for each in indexes if each is not None}
        near: set[int] = set()
        for index in marked:
            mine = self._of[self.events[index]["data"]["charger"]]
            place = mine.index(index)
            near.update(mine[max(0, place - 3) : place + 4])
        around = [self._line(index, index in marked) for index in sorted(near)]
        self.findings.violations.append(Violation(column, text, at, around))

    def _line(self, index: int, marked: bool) -> str:
        event = self.events[index]
        said = canonical(event["data"] if event.get("action") is None else event["payload"])[:120]
        return (
            f"  {'>' if marked else ' '} [{index}] seq {event['seq']} seen {self.came[index]:.2f}s stamped {event['time'][11:23]} "
            f"{event['event']} message {event.get('message_id')} {said}"
        )


def _keys(message: Message) -> list[tuple[str, str, str]]:
    """What an event of the message can be known by: its content, or its ids if it has none."""
    if message.action == "Heartbeat":
        return [(message.charger, message.action, each.id) for each in message.sendings]
    return [(message.charger, message.action, canonical(message.payload))]
