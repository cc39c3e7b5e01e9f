"""A charging session with a third-party OCPP client: the ChargePoint of the distribution `ocpp`, over `websockets`."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any

import pytest
import websockets
from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import (
    Action,
    AvailabilityStatus,
    ChargePointErrorCode,
    ChargePointStatus,
    FirmwareStatus,
    RegistrationStatus,
    RemoteStartStopStatus,
    ResetStatus,
)

from clients import eventually, now
from fleets import PATIENCE

pytestmark = pytest.mark.live


class ThirdParty(ChargePoint):
    """A charger that accepts commands."""

    def __init__(self, id: str, connection: Any) -> None:
        super().__init__(id, connection, response_timeout=PATIENCE)
        self.meter = 1000
        self.transaction: int | None = None
        self.stopped = asyncio.Event()
        self.started = asyncio.Event()
        self.reset = asyncio.Event()

    async def status(self, status: ChargePointStatus) -> None:
        await self.call(call.StatusNotification(connector_id=1, error_code=ChargePointErrorCode.no_error, status=status))

    async def begin(self, tag: str, timestamp: str) -> Any:
        answer = await self.call(call.StartTransaction(connector_id=1, id_tag=tag, meter_start=self.meter, timestamp=timestamp))
        self.transaction = answer.transaction_id
        return answer

    async def values(self) -> None:
        self.meter += 500
        sample = [{"value": str(self.meter / 1000), "unit": "kWh"}, {"value": "11.0", "unit": "kW", "measurand": "Power.Active.Import"}]
        reading = [{"timestamp": now(), "sampled_value": sample}]
        await self.call(call.MeterValues(connector_id=1, transaction_id=self.transaction, meter_value=reading))

    async def stop(self, reason: str = "Local") -> None:
        await self.call(
            call.StopTransaction(meter_stop=self.meter, timestamp=now(), transaction_id=self.transaction, reason=reason, id_tag="TAG")
        )

    @on(Action.remote_start_transaction)
    def remote_start(self, id_tag: str, **_: Any) -> Any:
        return call_result.RemoteStartTransaction(status=RemoteStartStopStatus.accepted)

    @after(Action.remote_start_transaction)
    async def remote_started(self, id_tag: str, **_: Any) -> None:
        await self.begin(id_tag, now())
        self.started.set()

    @on(Action.remote_stop_transaction)
    def remote_stop(self, transaction_id: int) -> Any:
        known = transaction_id == self.transaction
        return call_result.RemoteStopTransaction(status=RemoteStartStopStatus.accepted if known else RemoteStartStopStatus.rejected)

    @after(Action.remote_stop_transaction)
    async def remote_stopped(self, transaction_id: int) -> None:
        await self.stop("Remote")
        self.stopped.set()

    @on(Action.reset)
    def on_reset(self, type: str) -> Any:
        self.reset.set()
        return call_result.Reset(status=ResetStatus.accepted)

    @on(Action.change_availability)
    def on_availability(self, **_: Any) -> Any:
        return call_result.ChangeAvailability(status=AvailabilityStatus.accepted)

    @on(Action.update_firmware)
    def on_firmware(self, **_: Any) -> Any:
        return call_result.UpdateFirmware()

    @after(Action.update_firmware)
    async def after_firmware(self, **_: Any) -> None:
        for status in (FirmwareStatus.downloading, FirmwareStatus.downloaded, FirmwareStatus.installing, FirmwareStatus.installed):
            await self.call(call.FirmwareStatusNotification(status=status))


class Connected:
    """A third-party charger on a connection."""

    def __init__(self, gateway: Any, id: str = "RDAM 123") -> None:
        self.url = f"ws://127.0.0.1:{gateway.port}/ocpp/{id.replace(' ', '%20')}"
        self.id = id

    async def __aenter__(self) -> ThirdParty:
        self.connection = await websockets.connect(self.url, subprotocols=["ocpp1.6"])
        self.charger = ThirdParty(self.id, self.connection)
        self.task = asyncio.create_task(ChargePoint.start(self.charger))
        return self.charger

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await self.connection.close()


def test_a_whole_session(gateway, clean, events):
    """Boot, authorize, remote start, meter values, a disconnect, a retried start, remote stop, reset, firmware: nothing is lost."""

    def results() -> dict[str, Any]:
        return {event["data"]["id"]: event["data"] for event in events() if event["event"] == "command_result"}

    def push(id: str, action: str, payload: dict[str, Any]) -> None:
        clean("RPUSH", "commands", json.dumps({"CpID": "RDAM 123", "data": [2, id, action, payload]}))

    async def session() -> None:
        async with Connected(gateway) as charger:
            boot = await charger.call(call.BootNotification(charge_point_model="M", charge_point_vendor="V"))
            assert boot.status == RegistrationStatus.accepted
            await charger.status(ChargePointStatus.available)
            assert (await charger.call(call.Authorize(id_tag="TAG"))).id_tag_info["status"] == "Accepted"
            push("u1", "RemoteStartTransaction", {"connectorId": 1, "idTag": "TAG"})
            await asyncio.wait_for(charger.started.wait(), PATIENCE)
            assert (await eventually(lambda: results().get("u1")))["status"] == "Accepted"
            await charger.status(ChargePointStatus.charging)
            await charger.values()
            first, meter = charger.transaction, charger.meter
        # the connection is lost in the middle of the transaction; the charger reconnects without a BootNotification
        async with Connected(gateway) as charger:
            charger.transaction, charger.meter = first, meter
            await charger.values()
            push("u2", "RemoteStopTransaction", {"transactionId": first})
            await asyncio.wait_for(charger.stopped.wait(), PATIENCE)
            # a start whose answer was lost is sent again, under a new message id
            at = now()
            again = [(await charger.begin("TAG", at)).transaction_id for _ in range(3)]
            assert len(set(again)) == 1 and again[0] != first
            await charger.stop()
            push("u3", "UpdateFirmware", {"location": "ftp://x/y", "retrieveDate": now()})
            await eventually(lambda: sum(event["event"] == "firmware_status_notification" for event in events()) == 4)
            push("u4", "Reset", {"type": "Soft"})
            await asyncio.wait_for(charger.reset.wait(), PATIENCE)
            await eventually(lambda: "u4" in results())
            status, answer = await asyncio.to_thread(
                gateway.post,
                "/command/",
                {"cp_id": "RDAM 123", "command": "change_availability", "data": {"connectorId": 0, "type": "Operative"}},
            )
            assert (status, answer) == (200, {"status": "Accepted"})

    asyncio.run(asyncio.wait_for(session(), 5 * PATIENCE))
    gateway.until(lambda: events()[-1]["event"] == "disconnect_charger")
    published = [event for event in events() if event["event"] != "command_result"]
    assert [event["event"] for event in published] == [
        "connect_charger", "boot_notification", "change_connector_status", "authorize", "start_transaction", "change_connector_status",
        "meter_value", "disconnect_charger", "connect_charger", "meter_value", "stop_transaction", "start_transaction", "stop_transaction",
        *["firmware_status_notification"] * 4, "security_event", "disconnect_charger",
    ]  # fmt: skip
    numbers = [event["seq"] for event in events()]  # the charger may be leaving meanwhile
    assert numbers == list(range(1, len(numbers) + 1))
    stopped = [event["data"] for event in published if event["event"] == "stop_transaction"]
    assert [each["energy_wh"] for each in stopped] == [1000, 0] and {each["match"] for each in stopped} == {"exact"}
    assert published[6]["data"]["values"][0]["value"] == "1500"
    assert {"u1", "u2", "u3", "u4"} < set(results()) and {each["outcome"] for each in results().values()} == {"result"}
    assert gateway.stop() == 0


def test_after_a_crash_nothing_is_lost_and_the_transaction_is_known(gateway, events):
    """F14, C14: kill -9 in the middle of a transaction."""

    async def before() -> tuple[int, str]:
        async with Connected(gateway) as charger:
            await charger.call(call.BootNotification(charge_point_model="M", charge_point_vendor="V"))
            at = now()
            return (await charger.begin("TAG", at)).transaction_id, at

    async def afterwards(id: int, at: str) -> None:
        async with Connected(gateway) as charger:
            assert (await charger.begin("TAG", at)).transaction_id == id
            await charger.values()
            await charger.stop()

    id, at = asyncio.run(before())
    gateway.stop(signal.SIGKILL)
    gateway.start()
    asyncio.run(afterwards(id, at))
    names = [event["event"] for event in events()]
    assert names.count("start_transaction") == 1 and names.count("stop_transaction") == 1
    stopped = next(event["data"] for event in events() if event["event"] == "stop_transaction")
    assert stopped["match"] == "exact" and stopped["energy_wh"] == 500
    numbers = [event["seq"] for event in events()]  # the charger may be leaving meanwhile
    assert numbers == list(range(1, len(numbers) + 1))


def test_sigterm_closes_connections_with_1012_and_ends_with_status_0(gateway, events):
    """F15."""

    async def connect() -> tuple[int, str]:
        connection = await websockets.connect(f"ws://127.0.0.1:{gateway.port}/cp1", subprotocols=["ocpp1.6"])
        await connection.send('[2,"1","Heartbeat",{}]')
        await connection.recv()
        gateway.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(connection.wait_closed(), PATIENCE)
        return connection.close_code, connection.close_reason

    assert asyncio.run(connect()) == (1012, "service restart")
    assert gateway.stop() == 0
    assert [event["event"] for event in events()] == ["connect_charger", "health", "disconnect_charger"]
