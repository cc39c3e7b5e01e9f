"""Checks that every command was executed at most once and has exactly one result.

Knows nothing of how the gateway works.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from chaos.findings import Audit
from chaos.ledger import Ledger, Push, canonical

SENT = frozenset({"result", "error", "timeout", "connection_lost"})
"""Outcomes that mean that the command was sent to the charger."""

WAITS = 70.0
"""Seconds that a command may wait for its charger."""

Key = tuple[str, str]


class CommandChecks:
    """Checks once. ``dead_letters`` and ``in_flight`` are the elements left in Redis: dead letters, and those never acknowledged.

    ``allow_unreported``: tolerate a command that was executed but has a result without `sent`, as of a gateway that lost in a crash what it had sent.
    """

    def __init__(
        self, ledger: Ledger, audit: Audit, dead_letters: Iterable[bytes], in_flight: Iterable[bytes], allow_unreported: bool
    ) -> None:
        self.ledger, self.audit, self.allow_unreported = ledger, audit, allow_unreported
        self.dead_letters = [msgspec.json.decode(each) for each in dead_letters]
        self.in_flight = list(in_flight)
        self._results: dict[Key, list[int]] = defaultdict(list)
        self._followups: dict[Key, list[int]] = defaultdict(list)
        for index, event in enumerate(audit.events):
            if event["event"] in ("command_result", "command_followup"):
                about = self._results if event["event"] == "command_result" else self._followups
                about[event["data"]["charger"], event["data"]["id"]].append(index)

    def unanswered(self) -> int:
        """How many commands that Redis certainly has are still without a result."""
        wanted = Counter((each.charger, each.id) for each in self.ledger.pushes if self.ledger.is_certain(each) and each.id)
        return sum(max(0, number - len(self._results[key])) for key, number in wanted.items())

    def check(self) -> None:
        """Run all checks; violations go into the audit's findings."""
        pushes: dict[tuple[str, str], list[Push]] = defaultdict(list)
        for push in self.ledger.pushes:
            if push.id and push.state != "never":
                pushes[push.charger, push.id].append(push)
        executed: Counter[tuple[str, str]] = Counter()
        for execution in self.ledger.executions:
            key = execution.charger, execution.id
            executed[key] += 1
            wanted = next((each.payload for each in pushes[key] if each.payload is not None), None)
            if not pushes[key]:
                self.audit.violation("phantoms", f"a command that was never pushed: {execution}", execution.at)
            elif wanted is not None and canonical(wanted) != canonical(execution.payload):
                self.audit.violation("phantoms", f"not the payload that was pushed, {canonical(wanted)}: {execution}", execution.at)
        for key, indexes in self._results.items():
            if not pushes[key]:
                self.audit.violation(
                    "phantoms", f"a result of a command that was never pushed: {key}", self.audit.seen_at[indexes[0]], *indexes
                )
        for key, indexes in self._followups.items():
            verdicts = [self.audit.events[index]["data"]["verdict"] for index in indexes]
            if (not executed[key] and "confirmed" in verdicts) or len(indexes) > 1:
                text = f"{len(indexes)} follow-ups of {key}, which was executed {executed[key]} times"
                self.audit.violation("phantoms", text, self.audit.seen_at[indexes[0]], *indexes, *self._results[key])
        for key, group in pushes.items():
            if group:
                self._command(key, group, executed[key])
        for element in self.in_flight:
            self.audit.violation("commands without exactly one result", f"still in flight at the end: {element!r}", self.ledger.now)
        self._dead_letters()

    def _command(self, key: tuple[str, str], group: list[Push], executed: int) -> None:
        indexes = self._results[key]
        outcomes = [self.audit.events[index]["data"]["outcome"] for index in indexes]
        self.audit.findings.counts.update(f"outcome {each}" for each in outcomes)
        lost = group[0].kind == "HTTP" and self.ledger.crashed_after(group[0].at)
        certain = max(sum(self.ledger.is_certain(each) for each in group), 0 if lost else min(1, executed))
        executions = [each for each in self.ledger.executions if (each.charger, each.id) == key] if executed else []
        expected = {*group[0].expected}
        if self.ledger.was_restricted(key[0], group[0].at, group[-1].at + WAITS):
            expected.add("not_allowed")
        what = f"{group[0].kind} command {key[1]} for {key[0]} ({group[0].element}), pushed " + ", ".join(
            f"{each.at:.2f}s {each.state}" for each in group
        ) + f"; executed {[f'{each.at:.2f}s c{each.connection} {each.reply}' for each in executions]}; results {outcomes}"  # fmt: skip
        if not certain <= len(outcomes) <= len(group):
            self.audit.violation("commands without exactly one result", what, group[0].at, *indexes)
        elif lost and not outcomes:
            self.audit.findings.counts["commands by HTTP that were lost in a crash"] += 1
        elif self.allow_unreported and not SENT & set(outcomes):
            self.audit.findings.counts["executed, but reported as not sent"] += bool(executed)
        elif executed and not SENT & set(outcomes):
            self.audit.violation(
                "commands without exactly one result", f"executed, but reported as not sent: {what}", group[0].at, *indexes
            )
        elif strange := set(outcomes) - expected:
            self.audit.violation(
                "commands without exactly one result", f"{strange} is not a possible outcome: {what}", group[0].at, *indexes
            )
        if executed > 1:
            self.audit.violation("commands executed twice", what, executions[1].at, *indexes)
        sent = {self.audit.events[index]["data"]["outcome"] for index in indexes if self.audit.events[index]["data"].get("sent")}
        if not executed and {"result", "error"} & sent:
            self.audit.violation("phantoms", f"has a result, but was never executed: {what}", group[0].at, *indexes)

    def _dead_letters(self) -> None:
        counts = Counter(each["element"] for each in self.dead_letters)
        for push in self.ledger.pushes:
            if push.kind == "unreadable" and push.state != "never":
                number = counts.pop(push.element, 0)
                if number > 1 or (number == 0 and push.state == "certain"):
                    text = f"put into commands:dead {number} times: {push.element} ({push.state})"
                    self.audit.violation("commands without exactly one result", text, push.at)
        for element in counts:
            self.audit.violation("commands without exactly one result", f"put into commands:dead: {element}", self.ledger.now)
