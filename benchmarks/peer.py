"""``peer.py PORT REDIS_PORT``: the same work done with the usual Python libraries, for comparison.

`ocpp` on `websockets`, with uvloop and libvalkey where they are installed. Each message is validated against its schema, published as an event
on a Redis list, and answered once Redis has it. Answers have only the members that a charger needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action, AuthorizationStatus, RegistrationStatus
from valkey.asyncio import Valkey
from websockets.asyncio.server import ServerConnection, serve

logging.disable(logging.INFO)
TRANSACTIONS = itertools.count(1)
ACCEPTED = {"status": AuthorizationStatus.accepted}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Charger(ChargePoint):
    """A connected charger."""

    def __init__(self, id: str, connection: ServerConnection, redis: Valkey) -> None:
        super().__init__(id, connection)
        self._redis = redis

    async def publish(self, event: str, **data: Any) -> None:
        await self._redis.rpush("events", json.dumps({"event": event, "time": now(), "data": {"charger": self.id, **data}}))

    @on(Action.boot_notification)
    async def boot(self, **payload: Any) -> Any:
        await self.publish("boot_notification", **payload)
        return call_result.BootNotification(current_time=now(), interval=300, status=RegistrationStatus.accepted)

    @on(Action.heartbeat)
    async def heartbeat(self) -> Any:
        await self.publish("health")
        return call_result.Heartbeat(current_time=now())

    @on(Action.status_notification)
    async def status(self, **payload: Any) -> Any:
        await self.publish("change_connector_status", **payload)
        return call_result.StatusNotification()

    @on(Action.meter_values)
    async def meter(self, **payload: Any) -> Any:
        await self.publish("meter_value", **payload)
        return call_result.MeterValues()

    @on(Action.start_transaction)
    async def begin(self, **payload: Any) -> Any:
        transaction = next(TRANSACTIONS)
        await self.publish("start_transaction", transaction_id=transaction, **payload)
        return call_result.StartTransaction(transaction_id=transaction, id_tag_info=ACCEPTED)

    @on(Action.stop_transaction)
    async def end(self, **payload: Any) -> Any:
        await self.publish("stop_transaction", **payload)
        return call_result.StopTransaction(id_tag_info=ACCEPTED)


async def main(port: int, redis_port: int) -> None:
    redis = Valkey(host="127.0.0.1", port=redis_port)

    async def connected(connection: ServerConnection) -> None:
        assert connection.request is not None
        with contextlib.suppress(websockets.ConnectionClosed):
            await Charger(connection.request.path.strip("/"), connection, redis).start()

    async with serve(connected, "127.0.0.1", port, subprotocols=["ocpp1.6"], compression=None, backlog=4096):
        await asyncio.Future()


if __name__ == "__main__":
    try:
        from uvloop import run
    except ImportError:
        from asyncio import run
    run(main(int(sys.argv[1]), int(sys.argv[2])))
