"""What tests with other people's OCPP clients share."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import websockets

from fleets import PATIENCE


def now() -> str:
    """The time as a charger says it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


async def eventually(true: Callable[[], Any], within: float = PATIENCE) -> Any:
    """What ``true()`` returns, once that is something."""
    deadline = time.monotonic() + within
    while not (value := true()):
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.02)
    return value


class Obedient:
    """Notes every CALL it gets; answers ``Accepted`` while it is ``willing``."""

    def __init__(self, id: str = "cp1") -> None:
        self.id, self.willing = id, True
        self.got: list[tuple[str, str]] = []  # the gateway and the message id

    async def serve(self, gateway: Any, name: str) -> None:
        async with websockets.connect(f"ws://127.0.0.1:{gateway.port}/{self.id}", subprotocols=["ocpp1.6"]) as line:
            async for text in line:
                kind, id, *_ = json.loads(text)
                if kind == 2:
                    self.got.append((name, id))
                    if self.willing:
                        await line.send(json.dumps([3, id, {"status": "Accepted"}]))

    def connect(self, gateway: Any, name: str = "") -> asyncio.Task[None]:
        return asyncio.create_task(self.serve(gateway, name))

    def ids(self, name: str = "") -> list[str]:
        return [id for at, id in self.got if at == name]


def clear(charger: str, id: str, **more: Any) -> bytes:
    return json.dumps({"CpID": charger, "data": [2, id, "ClearCache", {}], **more}).encode()


def results(events: Any) -> list[tuple[str, str, bool]]:
    found = [event["data"] for event in events() if event["event"] == "command_result"]
    return [(data["id"], data["outcome"], data["sent"]) for data in found]


def known(server: Any, charger: str) -> list[str]:
    return (server("HGET", "ocpp:owners", charger) or b"").decode().split()
