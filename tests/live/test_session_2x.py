"""The same session with OCPP 2.0.1 and 2.1 and the ChargePoints of the distribution `ocpp`: the backend's contract is the same."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import ocpp.v21
import ocpp.v201
import pytest
import websockets
from ocpp.routing import after, on

from clients import eventually, now
from fleets import PATIENCE

pytestmark = pytest.mark.live

MODULES = {"2.0.1": ocpp.v201, "2.1": ocpp.v21}


def charger_class(ocpp_version: str) -> type[Any]:
    """A charger of that version that accepts commands."""
    module = MODULES[ocpp_version]
    call, result = module.call, module.call_result

    class ThirdParty(module.ChargePoint):
        def __init__(self, id: str, connection: Any) -> None:
            super().__init__(id, connection, response_timeout=PATIENCE)
            self.seq, self.meter, self.transaction = 0, 1000.0, ""
            self.begun, self.ended, self.done = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def event(self, kind: str, trigger: str, context: str = "Sample.Periodic", **more: Any) -> Any:
            value = {"value": self.meter / 1000, "context": context, "unit_of_measure": {"unit": "kWh"}}
            info = {"transaction_id": self.transaction, **more.pop("info", {})}
            answer = await self.call(
                call.TransactionEvent(
                    event_type=kind, timestamp=now(), trigger_reason=trigger, seq_no=self.seq, transaction_info=info,
                    meter_value=[{"timestamp": now(), "sampled_value": [value]}], evse={"id": 1, "connector_id": 1}, **more,
                )
            )  # fmt: skip
            self.seq += 1
            return answer

        @on("RequestStartTransaction")
        def start(self, **request: Any) -> Any:
            self.remote, self.token = request["remote_start_id"], request["id_token"]
            return result.RequestStartTransaction(status="Accepted")

        @after("RequestStartTransaction")
        async def started(self, **_: Any) -> None:
            self.transaction = "tx-abc"
            info = {"remote_start_id": self.remote, "charging_state": "Charging"}
            answer = await self.event("Started", "RemoteStart", "Transaction.Begin", info=info, id_token=self.token)
            assert answer.id_token_info["status"] == "Accepted"
            self.begun.set()

        @on("RequestStopTransaction")
        def stop(self, transaction_id: str, **_: Any) -> Any:
            return result.RequestStopTransaction(status="Accepted" if transaction_id == self.transaction else "Rejected")

        @after("RequestStopTransaction")
        async def stopped(self, **_: Any) -> None:
            await self.event("Ended", "RemoteStop", "Transaction.End", info={"stopped_reason": "Remote"})
            self.ended.set()

        @on("GetVariables")
        def variables(self, get_variable_data: list[Any], **_: Any) -> Any:
            return result.GetVariables(
                get_variable_result=[{"attribute_status": "Accepted", "attribute_value": "7", **each} for each in get_variable_data]
            )

        @on("GetBaseReport")
        def report(self, request_id: int, **_: Any) -> Any:
            self.request = request_id
            return result.GetBaseReport(status="Accepted")

        @after("GetBaseReport")
        async def parts(self, **_: Any) -> None:
            for number in range(3):
                await self.call(call.NotifyReport(request_id=self.request, generated_at=now(), seq_no=number, tbc=number < 2))
            self.done.set()

        @on("Reset")
        def reset(self, **_: Any) -> Any:
            return result.Reset(status="Accepted")

    return ThirdParty


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_a_whole_session(gateway, clean, events, version):
    """Boot, status, authorize, remote start, a disconnect, an offline replay, remote stop, variables, a report in parts, reset."""

    def push(**command: Any) -> None:
        clean("RPUSH", "commands", json.dumps(command))

    def data(name: str) -> list[dict[str, Any]]:
        return [event["data"] for event in events() if event["event"] == name]

    async def session() -> None:
        module, ThirdParty = MODULES[version], charger_class(version)
        call = module.call
        url = f"ws://127.0.0.1:{gateway.port}/cp-2x"
        async with websockets.connect(url, subprotocols=[f"ocpp{version}"]) as connection:
            charger = ThirdParty("cp-2x", connection)
            task = asyncio.create_task(module.ChargePoint.start(charger))
            station = {"model": "M", "vendor_name": "V", "serial_number": "S", "firmware_version": "1"}
            boot = await charger.call(call.BootNotification(charging_station=station, reason="PowerUp"))
            assert boot.status == "Accepted"
            await charger.call(call.StatusNotification(timestamp=now(), connector_status="Available", evse_id=1, connector_id=1))
            token = {"id_token": "TAG", "type": "ISO14443"}
            assert (await charger.call(call.Authorize(id_token=token))).id_token_info["status"] == "Accepted"
            push(cp_id="cp-2x", command="remote_start_transaction", data={"tag": "TAG", "connector_id": 1}, id="u1")
            await asyncio.wait_for(charger.begun.wait(), PATIENCE)
            charger.meter = 2000.0
            await charger.event("Updated", "MeterValuePeriodic")
            push(cp_id="cp-2x", command="get_configuration", data={"key": ["HeartbeatInterval"]}, id="u2")
            await eventually(lambda: len(data("command_result")) == 2)
            push(CpID="cp-2x", data=[2, "u3", "GetBaseReport", {"requestId": 5, "reportBase": "FullInventory"}])
            await asyncio.wait_for(charger.done.wait(), PATIENCE)
            task.cancel()
        seq, meter = charger.seq, 3500.0
        async with websockets.connect(url, subprotocols=[f"ocpp{version}"]) as connection:
            charger = ThirdParty("cp-2x", connection)
            charger.seq, charger.meter, charger.transaction = seq, meter, "tx-abc"
            task = asyncio.create_task(module.ChargePoint.start(charger))
            await charger.event("Updated", "MeterValuePeriodic", offline=True)
            push(cp_id="cp-2x", command="remote_stop_transaction", data={"transaction_id": "tx-abc"}, id="u4")
            await asyncio.wait_for(charger.ended.wait(), PATIENCE)
            push(cp_id="cp-2x", command="reset", data={"type": "Soft"}, id="u5")
            await eventually(lambda: len(data("command_result")) == 5)
            task.cancel()

    asyncio.run(asyncio.wait_for(session(), 5 * PATIENCE))
    gateway.until(lambda: events()[-1]["event"] == "disconnect_charger")
    assert {each["outcome"] for each in data("command_result")} == {"result"}
    (started,), (stopped,) = data("start_transaction"), data("stop_transaction")
    assert (started["transaction_id"], started["meter_start"], started["tag"]) == ("tx-abc", 1000, "TAG") and started["remote_start_id"] > 0
    assert (stopped["energy_wh"], stopped["reason"], stopped["match"]) == (2500, "Remote", "exact")
    assert [event.get("offline", False) for event in events() if event["event"] == "transaction_update"] == [False, True]
    assert data("seq_gap") == []
    (report,) = data("command_report")
    assert (report["id"], report["parts"], report["complete"]) == ("u3", 3, True)
    assert [event["seq"] for event in events()] == list(range(1, len(events()) + 1))
    assert not [event for event in events() if "violations" in event]
    assert gateway.stop() == 0
