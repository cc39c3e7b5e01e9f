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
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v16 import call_result as results16
from ocpp.v21 import ChargePoint as ChargePoint21
from ocpp.v21 import call_result as results21
from ocpp.v201 import ChargePoint as ChargePoint201
from ocpp.v201 import call_result as results201
from valkey.asyncio import Valkey
from websockets.asyncio.server import ServerConnection, serve

logging.disable(logging.INFO)
TRANSACTIONS = itertools.count(1)
ACCEPTED = {"status": "Accepted"}
PUBLISHED = {"Started": "start_transaction", "Updated": "meter_value", "Ended": "stop_transaction"}
"""The event for each kind of TransactionEvent."""


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Publishing:
    """What a connected charger of any version does."""

    id: str
    redis: Valkey

    async def publish(self, event: str, **data: Any) -> None:
        await self.redis.rpush("events", json.dumps({"event": event, "time": now(), "data": {"charger": self.id, **data}}))


class Charger16(Publishing, ChargePoint16):
    @on("BootNotification")
    async def boot(self, **payload: Any) -> Any:
        await self.publish("boot_notification", **payload)
        return results16.BootNotification(current_time=now(), interval=300, status="Accepted")

    @on("Heartbeat")
    async def heartbeat(self) -> Any:
        await self.publish("health")
        return results16.Heartbeat(current_time=now())

    @on("StatusNotification")
    async def status(self, **payload: Any) -> Any:
        await self.publish("change_connector_status", **payload)
        return results16.StatusNotification()

    @on("MeterValues")
    async def meter(self, **payload: Any) -> Any:
        await self.publish("meter_value", **payload)
        return results16.MeterValues()

    @on("StartTransaction")
    async def begin(self, **payload: Any) -> Any:
        transaction = next(TRANSACTIONS)
        await self.publish("start_transaction", transaction_id=transaction, **payload)
        return results16.StartTransaction(transaction_id=transaction, id_tag_info=ACCEPTED)

    @on("StopTransaction")
    async def end(self, **payload: Any) -> Any:
        await self.publish("stop_transaction", **payload)
        return results16.StopTransaction(id_tag_info=ACCEPTED)


class Publishing2x(Publishing):
    """What is the same in 2.0.1 and 2.1, but for the classes of the answers."""

    results: Any

    @on("BootNotification")
    async def boot(self, **payload: Any) -> Any:
        await self.publish("boot_notification", **payload)
        return self.results.BootNotification(current_time=now(), interval=300, status="Accepted")

    @on("Heartbeat")
    async def heartbeat(self) -> Any:
        await self.publish("health")
        return self.results.Heartbeat(current_time=now())

    @on("StatusNotification")
    async def status(self, **payload: Any) -> Any:
        await self.publish("change_connector_status", **payload)
        return self.results.StatusNotification()

    @on("TransactionEvent")
    async def transaction(self, event_type: str, **payload: Any) -> Any:
        await self.publish(PUBLISHED[event_type], **payload)
        return self.results.TransactionEvent(id_token_info=ACCEPTED if "id_token" in payload else None)


class Charger201(Publishing2x, ChargePoint201):
    results = results201


class Charger21(Publishing2x, ChargePoint21):
    results = results21


CHARGERS: dict[Any, Any] = {"ocpp1.6": Charger16, "ocpp2.0.1": Charger201, "ocpp2.1": Charger21}


async def main(port: int, redis_port: int) -> None:
    redis = Valkey(host="127.0.0.1", port=redis_port)

    async def connected(connection: ServerConnection) -> None:
        assert connection.request is not None
        charger: Any = CHARGERS[connection.subprotocol](connection.request.path.strip("/"), connection)
        charger.redis = redis
        await charger.publish("connect_charger")
        with contextlib.suppress(websockets.ConnectionClosed):
            await charger.start()
        await charger.publish("disconnect_charger")

    async with serve(connected, "127.0.0.1", port, subprotocols=list(CHARGERS), compression=None, backlog=4096):
        await asyncio.Future()


if __name__ == "__main__":
    try:
        from uvloop import run
    except ImportError:
        from asyncio import run
    run(main(int(sys.argv[1]), int(sys.argv[2])))
