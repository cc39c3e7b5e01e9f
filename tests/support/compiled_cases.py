"""Payloads for the compiled modules, each with its version, its action, and the readers without and with these modules."""

from __future__ import annotations

from typing import Any

from ocpp_tw.ocpp.v2 import V201
from ocpp_tw.ocpp.v2_one_pass import quick_readers
from ocpp_tw.ocpp.v16 import V16
from ocpp_tw.ocpp.v16_meter_values import compiled_reader, meter_values

NOW = "2026-11-22T10:00:00Z"
READINGS = [
    {
        "timestamp": NOW,
        "sampledValue": [
            {"value": 18312, "context": "Sample.Periodic"},
            {"value": 1.50, "measurand": "Power.Active.Import", "phase": "L1", "unitOfMeasure": {"unit": "kW", "multiplier": 0}},
            {"measurand": "SoC", "value": 20.25, "location": "EV", "unitOfMeasure": {"unit": "Percent"}},
        ],
    },
    {"sampledValue": [{"value": 7}], "timestamp": "2026-11-22T10:00:05Z"},
]
EVENT = {
    "eventType": "Updated", "timestamp": NOW, "triggerReason": "Trigger", "seqNo": 3, "transactionInfo": {"transactionId": "t"},
    "meterValue": READINGS, "evse": {"id": 1, "connectorId": 2},
}  # fmt: skip
IN_1_6: Any = {
    "connectorId": 1,
    "transactionId": 7,
    "meterValue": [
        {
            "timestamp": NOW,
            "sampledValue": [
                {"value": "18.312", "unit": "kWh", "context": "Transaction.Begin"},
                {"value": "232.50", "measurand": "Voltage", "phase": "L1-N", "unit": "V"},
                {"location": "EV", "value": "020", "measurand": "SoC"},
            ],
        },
        {"sampledValue": [{"value": "19", "unit": "Wh"}], "timestamp": ""},
    ],
}
CASES = {
    "1.6": (V16, "MeterValues", IN_1_6, meter_values(None), meter_values(compiled_reader())),
    "2.0.1": (
        V201,
        "TransactionEvent",
        EVENT,
        quick_readers("v201", with_compiled=False)["TransactionEvent"],
        quick_readers("v201")["TransactionEvent"],
    ),
}
