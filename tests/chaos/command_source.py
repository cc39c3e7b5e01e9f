"""Pushes commands as a backend does: in both forms, some twice, some to unknown chargers, some invalid, some by HTTP; it records of
each push whether Redis, or the gateway, has it.

Knows neither chargers nor results.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from chaos.http_command import ask
from chaos.ledger import Ledger, Push
from chaos.store import Refused, Store, Unsure
from fleets import pause

EXPECTED_OUTCOMES = ("result", "error", "timeout", "connection_lost", "offline")
"""The possible outcomes of a valid command while its charger connects and disconnects."""


class CommandSource:
    """Pushes ``rate`` commands per second to chargers, which are given as name and version."""

    def __init__(
        self, store: Store, http: int, ledger: Ledger, chargers: list[tuple[str, str]], rate: float, seed: str, hang_ups: bool = True
    ) -> None:
        self._store, self._http, self._ledger, self._chargers, self._rate = store, http, ledger, chargers, rate
        self._hang_ups = hang_ups
        self._asking: list[Deferred[None]] = []
        self._rng = random.Random(seed)
        self._count = 0
        self.running = True
        self._kinds: list[tuple[Callable[[], list[Push]], int]] = [
            (self._raw, 40),
            (self._neutral, 30),
            (self._by_http, 10),
            (self._twice, 10),
            (self._unknown_charger, 6),
            (self._waiting, 4),
            (self._invalid, 6),
            (self._unreadable, 4),
        ]

    async def run(self) -> None:
        """Push for as long as it is `running`; a push that Redis refuses is retried, one whose fate is unknown is not."""
        makes, weights = zip(*self._kinds, strict=True)
        while self.running:
            for push in self._rng.choices(makes, weights)[0]():
                if push.kind == "HTTP":
                    self._ledger.pushes.append(push)
                    self._asking.append(Deferred.fromCoroutine(ask(self._http, push, self._ledger, self._rng, self._hang_ups)))
                else:
                    await self._push(push)
            await pause(self._rng.expovariate(self._rate))
        await gatherResults(self._asking)

    async def _push(self, push: Push) -> None:
        self._ledger.pushes.append(push)
        while self.running:
            push.at = self._ledger.now
            try:
                await self._store.execute("RPUSH", "commands", push.element)
            except Refused:
                await pause(0.1)
                continue
            except Unsure:
                push.state = "unsure"
            else:
                push.state = "certain"
            return

    # the kinds of commands

    def _id(self) -> str:
        self._count += 1
        return f"cmd-{self._count}"

    def _action(self, version: str) -> tuple[str, dict[str, Any]]:
        tag, rng = f"R{self._count}", self._rng
        if version == "1.6":
            return rng.choice((
                ("RemoteStartTransaction", {"connectorId": 1, "idTag": tag}),
                ("TriggerMessage", {"requestedMessage": "Heartbeat"}),
                ("GetConfiguration", {"key": ["HeartbeatInterval"]}),
                ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": str(self._count)}),
                ("ClearCache", {}),
            ))  # fmt: skip
        variable = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
        return rng.choice((
            ("RequestStartTransaction", {"idToken": {"idToken": tag, "type": "ISO14443"}, "remoteStartId": self._count}),
            ("TriggerMessage", {"requestedMessage": "Heartbeat"}),
            ("GetVariables", {"getVariableData": [variable]}),
            ("SetVariables", {"setVariableData": [{**variable, "attributeValue": str(self._count)}]}),
            ("ClearCache", {}),
        ))  # fmt: skip

    def _raw(self) -> list[Push]:
        charger, version = self._rng.choice(self._chargers)
        id = self._id()
        action, payload = self._action(version)
        element = json.dumps({"CpID": charger, "data": [2, id, action, payload]})
        return [Push(charger, id, element, "raw", EXPECTED_OUTCOMES, payload)]

    def _neutral(self) -> list[Push]:
        charger, _ = self._rng.choice(self._chargers)
        id = self._id()
        command, data = self._rng.choice((
            ("remote_start_transaction", {"tag": f"R{self._count}", "connector_id": 1}),
            ("get_configuration", {"key": ["HeartbeatInterval"]}),
            ("change_configuration", {"key": "HeartbeatInterval", "value": str(self._count)}),
            ("trigger_message", {"message": "Heartbeat"}),
            ("clear_cache", {}),
        ))  # fmt: skip
        element = json.dumps({"cp_id": charger, "command": command, "data": data, "id": id})
        return [Push(charger, id, element, "neutral", EXPECTED_OUTCOMES)]

    def _by_http(self) -> list[Push]:
        (push,) = self._neutral()
        push.kind = "HTTP"
        return [push]

    def _twice(self) -> list[Push]:
        (first,) = self._raw()
        expected = (*EXPECTED_OUTCOMES, "duplicate")
        # The same element again, or another one with the same meaning.
        again = first.element if self._rng.random() < 0.5 else first.element.replace('"data": ', '"data":  ')
        return [Push(first.charger, first.id, element, "twice", expected, first.payload) for element in (first.element, again)]

    def _unknown_charger(self) -> list[Push]:
        id = self._id()
        element = json.dumps({"CpID": f"unknown-{self._count}", "data": [2, id, "ClearCache", {}]})
        return [
            Push(f"unknown-{self._count}", id, element, "unknown charger", ("offline", "expired"))
        ]  # expired: a gateway that crashed had taken it

    def _waiting(self) -> list[Push]:
        id = self._id()
        if self._rng.random() < 0.5:
            charger, _ = self._rng.choice(self._chargers)
            expected: tuple[str, ...] = (*EXPECTED_OUTCOMES, "expired")
        else:
            charger, expected = f"unknown-{self._count}", ("expired",)
        ttl = self._rng.choice((1, 3))
        element = json.dumps({"cp_id": charger, "command": "clear_cache", "data": {}, "id": id, "ttl": ttl})
        return [Push(charger, id, element, "waiting", expected)]

    def _invalid(self) -> list[Push]:
        charger, _ = self._rng.choice(self._chargers)
        id = self._id()
        data, expected = self._rng.choice((
            ([2, id, "ChangeConfiguration", {"key": 7}], ("invalid", "offline")),
            ([2, id, "NoSuchAction", {}], ("invalid", "offline")),
            ([2, id, "ClearCache", []], ("invalid",)),
            ([3, id, "ClearCache", {}], ("invalid",)),
        ))  # fmt: skip
        return [Push(charger, id, json.dumps({"CpID": charger, "data": data}), "invalid", expected)]

    def _unreadable(self) -> list[Push]:
        self._count += 1
        element = self._rng.choice((
            f'{{"CpID": "unreadable-{self._count}", "data": ',
            json.dumps({"data": [2, f"cmd-{self._count}", "ClearCache", {}]}),
            json.dumps({"CpID": f"unreadable-{self._count}", "data": [2]}),
            json.dumps({"cp_id": f"unreadable-{self._count}", "command": "clear_cache"}),
        ))  # fmt: skip
        return [Push("", "", element, "unreadable", ("dead",))]
