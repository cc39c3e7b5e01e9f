"""Whether every command was done at most once and told of exactly once.

Knows nothing of how the gateway came to do or tell it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from chaos.evidence import Evidence
from chaos.ledger import Ledger, Push, canonical

SENT = frozenset({"result", "error", "timeout", "connection_lost"})
"""Outcomes that say that the charger was sent the command."""


Key = tuple[str, str]


class Commands:
    """Checks once. ``graves`` and ``in_hand`` are what is left in Redis: elements put aside, and those that nobody has settled.

    ``untold``: put up with a command that was done and is told as never sent, as of a gateway that forgot in a crash what it had sent.
    """

    def __init__(self, ledger: Ledger, evidence: Evidence, graves: Iterable[bytes], in_hand: Iterable[bytes], untold: bool) -> None:
        self.ledger, self.evidence, self.untold = ledger, evidence, untold
        self.graves = [msgspec.json.decode(each) for each in graves]
        self.in_hand = list(in_hand)
        self._results: dict[Key, list[int]] = defaultdict(list)
        self._followups: dict[Key, list[int]] = defaultdict(list)
        for index, event in enumerate(evidence.events):
            if event["event"] in ("command_result", "command_followup"):
                about = self._results if event["event"] == "command_result" else self._followups
                about[event["data"]["charger"], event["data"]["id"]].append(index)

    def unanswered(self) -> int:
        """How many commands that were pushed for certain have no result yet."""
        wanted = Counter((each.charger, each.id) for each in self.ledger.pushes if each.state == "certain" and each.id)
        return sum(max(0, number - len(self._results[key])) for key, number in wanted.items())

    def check(self) -> None:
        """All that is wrong goes into the evidence's findings."""
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
                self.evidence.found("phantoms", f"a command that nobody gave: {execution}", execution.at)
            elif wanted is not None and canonical(wanted) != canonical(execution.payload):
                self.evidence.found("phantoms", f"not what was ordered, {canonical(wanted)}: {execution}", execution.at)
        for key, indexes in self._results.items():
            if not pushes[key]:
                self.evidence.found("phantoms", f"a result of a command that nobody gave: {key}", self.evidence.came[indexes[0]], *indexes)
        for key, indexes in self._followups.items():
            verdicts = [self.evidence.events[index]["data"]["verdict"] for index in indexes]
            if (not done[key] and "confirmed" in verdicts) or len(indexes) > 1:
                text = f"{len(indexes)} follow-ups of {key}, which was done {done[key]} times"
                self.evidence.found("phantoms", text, self.evidence.came[indexes[0]], *indexes, *self._results[key])
        for key, group in pushes.items():
            if group:
                self._command(key, group, done[key])
        for element in self.in_hand:
            self.evidence.found("commands without exactly one result", f"still in hand when all was over: {element!r}", self.ledger.now)
        self._graves()

    def _command(self, key: tuple[str, str], group: list[Push], executed: int) -> None:
        indexes = self._results[key]
        outcomes = [self.evidence.events[index]["data"]["outcome"] for index in indexes]
        self.evidence.findings.counts.update(f"outcome {each}" for each in outcomes)
        certain = max(sum(each.state == "certain" for each in group), min(1, executed))
        executions = [each for each in self.ledger.executions if (each.charger, each.id) == key] if executed else []
        what = f"{group[0].kind} command {key[1]} for {key[0]} ({group[0].element}), pushed " + ", ".join(
            f"{each.at:.2f}s {each.state}" for each in group
        ) + f"; executed {[f'{each.at:.2f}s c{each.connection} {each.reply}' for each in executions]}; results {outcomes}"  # fmt: skip
        if not certain <= len(outcomes) <= len(group):
            self.evidence.found("commands without exactly one result", what, group[0].at, *indexes)
        elif self.untold and not SENT & set(outcomes):
            self.evidence.findings.counts["done, but not told so"] += bool(executed)
        elif executed and not SENT & set(outcomes):
            self.evidence.found("commands without exactly one result", f"done, but not told so: {what}", group[0].at, *indexes)
        elif strange := set(outcomes) - set(group[0].expected):
            self.evidence.found("commands without exactly one result", f"{strange} is no outcome of this: {what}", group[0].at, *indexes)
        if executed > 1:
            self.evidence.found("commands executed twice", what, executions[1].at, *indexes)
        sent = {self.evidence.events[index]["data"]["outcome"] for index in indexes if self.evidence.events[index]["data"].get("sent")}
        if not executed and {"result", "error"} & sent:
            self.evidence.found("phantoms", f"told, but never done: {what}", group[0].at, *indexes)

    def _graves(self) -> None:
        buried = Counter(each["element"] for each in self.graves)
        for push in self.ledger.pushes:
            if push.kind == "unreadable" and push.state != "never":
                number = buried.pop(push.element, 0)
                if number > 1 or (number == 0 and push.state == "certain"):
                    text = f"put into commands:dead {number} times: {push.element} ({push.state})"
                    self.evidence.found("commands without exactly one result", text, push.at)
        for element in buried:
            self.evidence.found("commands without exactly one result", f"put into commands:dead: {element}", self.ledger.now)
