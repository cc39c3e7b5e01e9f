"""Plays recorded chargers against a gateway, each on a connection of its own, and tells what is answered otherwise than before.

Knows neither files nor options. It answers the gateway's CALLs as the charger did, and NotImplemented where it was not asked.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from .comparing import TransactionIds, differences
from .recording import Charger, Sent

ANSWER_TIMEOUT = 30.0
"""Seconds that an answer may take."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``speed`` is how much faster than it was recorded, 0 as fast as the answers come; ``ocpp`` the version, "" for what is recognized."""

    url: str
    speed: float = 1.0
    ocpp: str = ""
    password: str = ""
    ignored: frozenset[str] = frozenset()
    tls: ssl.SSLContext | None = None


@dataclass(slots=True)
class Tally:
    """How many messages were sent and compared, and the differences."""

    chargers: int = 0
    sent: int = 0
    compared: int = 0
    different: int = 0
    failed: list[str] = field(default_factory=list)


async def replay(chargers: list[Charger], plan: Plan, tell: Callable[[str], None]) -> Tally:
    """Play them all at the same time; ``tell`` is told of each difference in a line."""
    tally = Tally(len(chargers))
    first = min(each.sent[0].at for each in chargers)
    await asyncio.gather(*[_Player(charger, plan, tally, tell).play(first) for charger in chargers])
    return tally


class _Player:
    """One charger."""

    def __init__(self, charger: Charger, plan: Plan, tally: Tally, tell: Callable[[str], None]) -> None:
        self._charger = charger
        self._plan = plan
        self._tally = tally
        self._tell = tell
        self._ids = TransactionIds()
        self._waiting: dict[str, asyncio.Future[list[Any]]] = {}
        self._answers = {action: list(answers) for action, answers in charger.answers.items()}

    async def play(self, first: float) -> None:
        plan, charger = self._plan, self._charger
        version = plan.ocpp or charger.version
        headers = {}
        if plan.password:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{charger.id}:{plan.password}".encode()).decode()
        url = plan.url.rstrip("/") + "/" + quote(charger.id, safe="")
        began = asyncio.get_running_loop().time()
        try:
            async with connect(
                url, subprotocols=[Subprotocol(f"ocpp{version}")], additional_headers=headers, ssl=plan.tls, max_size=1 << 24, proxy=None
            ) as connection:
                reading = asyncio.create_task(self._read(connection))
                try:
                    for sent in charger.sent:
                        if plan.speed:
                            now = asyncio.get_running_loop().time() - began
                            await asyncio.sleep(max(0.0, (sent.at - first) / plan.speed - now))
                        await self._send(connection, sent)
                finally:
                    reading.cancel()
        except (OSError, InvalidHandshake, ConnectionClosed, TimeoutError) as why:
            self._tally.failed.append(f"{charger.id}: {str(why) or type(why).__name__}")

    async def _send(self, connection: Any, sent: Sent) -> None:
        frame = [*sent.frame[:3], self._ids.replaced(sent.frame[3]), *sent.frame[4:]]
        self._tally.sent += 1
        if frame[0] != 2:
            await connection.send(json.dumps(frame))
            return
        answered = self._waiting[str(frame[1])] = asyncio.get_running_loop().create_future()
        await connection.send(json.dumps(frame))
        try:
            now = await asyncio.wait_for(answered, ANSWER_TIMEOUT)
        except TimeoutError:
            self._differ(sent, f"there is no answer within {ANSWER_TIMEOUT:g} s")
            return
        self._ids.learn(sent.answer, now)
        if sent.answer is not None:
            self._tally.compared += 1
            found = list(differences(sent.answer, now, self._plan.ignored))
            if found:
                self._differ(sent, "; ".join(found))

    def _differ(self, sent: Sent, what: str) -> None:
        self._tally.different += 1
        self._tell(f"{self._charger.id}: {sent.action} {sent.frame[1]}: {what}")

    async def _read(self, connection: Any) -> None:
        async for text in connection:
            frame = json.loads(text)
            if frame[0] == 2:
                await connection.send(json.dumps(self._answer(frame)))
            elif (answered := self._waiting.pop(str(frame[1]), None)) is not None and not answered.done():
                answered.set_result(frame)

    def _answer(self, call: list[Any]) -> list[Any]:
        recorded = self._answers.get(str(call[2]))
        if not recorded:
            return [4, call[1], "NotImplemented", "this was not asked when it was recorded", {}]
        answer = recorded.pop(0) if len(recorded) > 1 else recorded[0]
        return [answer[0], call[1], *answer[2:]]
