"""Integers that are written 4.0 are integers to JSON Schema, in every message of every version (issue 11, A.5)."""

from __future__ import annotations

import json
import re

import pytest

from in_memory import in_memory
from ocpp_tw.ocpp.frames import Call, parse
from ocpp_tw.ocpp.malformed import Malformed
from ocpp_tw.ocpp.v2 import V21, V201
from ocpp_tw.ocpp.v16 import V16
from payloads import fullest, schema

FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}


def written_with_points(payload: str) -> bytes:
    """The JSON with each integer written with a point."""
    return re.sub(r"(?<=[: \[])(-?\d+)(?=[,}\]])", r"\1.0", payload).encode()


@pytest.mark.parametrize("version", [V16, V201, V21], ids=lambda version: version.name)
def test_every_integer_member_of_every_message_means_the_integer(version):
    for action, translation in version.translations.items():
        name = action if version is V16 or action in version.send_actions else f"{action}Request"
        payload = json.dumps(fullest(schema(FOLDERS[version.name], name))).replace(".0", "")
        points, plain = (
            parse(b'[2,"1","%b",%b]' % (action.encode(), text), version.quick_readers)
            for text in (written_with_points(payload), payload.encode())
        )
        assert isinstance(points, Call) and isinstance(plain, Call)
        assert repr(points.fact or translation.read(points.payload)) == repr(plain.fact or translation.read(plain.payload)), action


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_a_session_written_with_points_is_told_in_integers(ocpp):
    """seqNo, evse, remoteStartId and multiplier; the energy is not a thousand times too small."""
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    here.published()

    def event(kind: str, seq_no: str, value: str, context: str) -> str:
        return (
            f'[2,"{kind}","TransactionEvent",{{"eventType":"{kind}","timestamp":"2026-11-22T10:00:00Z","triggerReason":"RemoteStart",'
            f'"seqNo":{seq_no},"evse":{{"id":1.0,"connectorId":2e0}},"transactionInfo":{{"transactionId":"t","remoteStartId":7.0}},'
            f'"meterValue":[{{"timestamp":"2026-11-22T10:00:00Z","sampledValue":[{{"value":{value},"context":"{context}",'
            '"unitOfMeasure":{"unit":"Wh","multiplier":3.0}}]}]}]'
        )

    cp.send_text(event("Started", "4.0", "1", "Transaction.Begin"))
    cp.send_text(event("Ended", "5.0", "3", "Transaction.End"))
    assert [frame[0] for frame in cp.frames()] == [3, 3]
    told = {each["event"]: each["data"] for each in here.published()}
    start, stop = told["start_transaction"], told["stop_transaction"]
    assert (start["conn"], start["connector"], start["seq_no"], start["remote_start_id"], start["meter_start"]) == (1, 2, 4, 7, 1000)
    assert all(type(start[name]) is int for name in ("conn", "connector", "seq_no", "remote_start_id"))
    assert (stop["seq_no"], stop["energy_wh"], stop["meter_stop"]) == (5, 2000, 3000) and type(stop["seq_no"]) is int


def test_a_number_beyond_all_bounds_is_unreadable():
    with pytest.raises(Malformed):
        parse(b'[2,"1","Heartbeat",{"a":1e400}]')
