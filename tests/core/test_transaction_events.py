"""Transactions of OCPP 2.x: ordered by seqNo, each counted once, and told as those of 1.6 are."""

from __future__ import annotations

from typing import Any

import pytest

from in_memory import in_memory
from ocpp_tw.facts import Authorization, Start
from ocpp_tw.handlers import Handlers
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway

VERSIONS = pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])


def reading(wh: float, context: str, **unit: Any) -> list[dict[str, Any]]:
    measure = {"unitOfMeasure": unit} if unit else {}
    return [{"timestamp": "2026-11-23T08:00:00Z", "sampledValue": [{"value": wh, "context": context, **measure}]}]


def event(
    kind: str, seq: int, trigger: str = "Trigger", id: str = "tx-1", time: str = "2026-11-23T08:00:00Z", info: Any = None, **more: Any
):
    return {
        "eventType": kind, "timestamp": time, "triggerReason": trigger, "seqNo": seq,
        "transactionInfo": {"transactionId": id, **(info or {})}, **more,
    }  # fmt: skip


TOKEN = {"idToken": {"idToken": "TAG1", "type": "ISO14443"}}
EVSE = {"evse": {"id": 1, "connectorId": 2}}


@VERSIONS
def test_a_whole_transaction_is_told_as_one_of_1_6(ocpp):
    """CONTRACT 1: TransactionEvent Started, Updated, Ended become start_transaction, transaction_update, meter_value, stop_transaction."""
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    here.published()
    begin = reading(1000, "Transaction.Begin")
    answer = cp.call("TransactionEvent", event("Started", 0, "Authorized", meterValue=begin, **TOKEN, **EVSE))
    assert answer == {"idTokenInfo": {"status": "Accepted"}}
    started, metered = here.published()
    assert started["event"] == "start_transaction" and started["ocpp"] == ocpp
    assert started["data"] == {
        "charger": "cp1", "conn": 1, "tag": "TAG1", "meter_start": 1000, "transaction_id": "tx-1", "timestamp": "2026-11-23T08:00:00Z",
        "reservation_id": None, "status": "Accepted", "connector": 2, "seq_no": 0, "trigger": "Authorized", "tag_type": "ISO14443",
        "charging_state": None, "remote_start_id": None, "backend_id": None,
    }  # fmt: skip
    assert metered["event"] == "meter_value" and metered["data"]["transaction_id"] == "tx-1" and metered["data"]["conn"] == 1
    middle = reading(2.5, "Sample.Periodic", unit="kWh")
    info = {"chargingState": "Charging"}
    assert cp.call("TransactionEvent", event("Updated", 1, "MeterValuePeriodic", info=info, meterValue=middle)) == {}
    updated, metered = here.published()
    assert (updated["event"], updated["data"]["charging_state"], updated["data"]["conn"]) == ("transaction_update", "Charging", 1)
    assert metered["data"]["values"][0]["value"] == "2500"
    end = reading(4, "Transaction.End", unit="Wh", multiplier=3)
    time = "2026-11-23T09:00:00Z"
    assert (
        cp.call(
            "TransactionEvent", event("Ended", 2, "StopAuthorized", time=time, info={"stoppedReason": "EVDisconnected"}, meterValue=end)
        )
        == {}
    )
    metered, stopped = here.published()
    data = stopped["data"]
    assert stopped["event"] == "stop_transaction" and "missing" not in data
    assert (data["transaction_id"], data["meter_stop"], data["energy_wh"], data["duration_s"]) == ("tx-1", 4000, 3000, 3600)
    assert (data["reason"], data["match"]) == ("EVDisconnected", "exact")


@VERSIONS
def test_plugging_in_first_counts_from_where_the_energy_flows(ocpp):
    """The start has no tag and no reading yet."""
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    assert cp.call("TransactionEvent", event("Started", 0, "CablePluggedIn", **EVSE)) == {}
    assert here.published()[-1]["data"]["tag"] == "" and cp.charger.ledger.find("tx-1").meter_start is None
    begin = reading(500, "Transaction.Begin")
    assert cp.call("TransactionEvent", event("Updated", 1, "Authorized", meterValue=begin, **TOKEN)) == {
        "idTokenInfo": {"status": "Accepted"}
    }
    update = next(each for each in here.published() if each["event"] == "transaction_update")
    assert (update["data"]["tag"], update["data"]["status"]) == ("TAG1", "Accepted")
    cp.call("TransactionEvent", event("Ended", 2, meterValue=reading(800, "Transaction.End")))
    assert here.published()[-1]["data"]["energy_wh"] == 300


@VERSIONS
def test_a_repeat_is_answered_again_and_counted_once(ocpp):
    """T10, FIELD 6: by (charger, transactionId, seqNo), over connections and restarts."""

    class Once(Handlers):
        def started(self, charger, fact):
            return Start(Authorization("Blocked"))

    here = InMemoryGateway(handlers=Once(Settings()))
    first = event("Started", 0, **TOKEN)
    answer = here.connect(ocpp=ocpp).call("TransactionEvent", first)
    assert answer == {"idTokenInfo": {"status": "Blocked"}}
    here.published()
    again = InMemoryGateway(store=here.store)
    cp = again.connect(ocpp=ocpp)
    assert cp.call("TransactionEvent", first) == answer
    assert again.published_names() == ["connect_charger"]


@VERSIONS
def test_a_gap_is_told_and_the_charger_asked_once(ocpp):
    """T10: GetTransactionStatus(messagesInQueue)."""
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0))
    here.published()
    cp.send_call("TransactionEvent", event("Updated", 3))
    question, answer = sorted(cp.frames(), key=lambda frame: frame[0])
    assert question[2:] == ["GetTransactionStatus", {"transactionId": "tx-1"}] and answer[0] == 3
    _, gap = here.published()
    assert gap["event"] == "seq_gap" and gap["data"] == {"charger": "cp1", "transaction_id": "tx-1", "missing": [1, 2], "count": 2}
    cp.call("TransactionEvent", event("Updated", 6))  # another gap: told, and not asked about again
    assert here.published()[-1]["data"]["missing"] == [4, 5]
    cp.answer({"messagesInQueue": True, "ongoingIndicator": True}, question[1])
    (status,) = here.published()
    assert status["event"] == "transaction_status" and status["data"]["messages_in_queue"] is True
    assert status["data"]["missing"] == [1, 2, 4, 5]


@VERSIONS
def test_messages_in_any_order_make_the_same_transaction(ocpp):
    """T10: order is by seqNo; numbers may run on from one transaction to the next."""
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    messages = {
        12: event("Ended", 12, time="2026-11-23T09:00:00Z", offline=True, meterValue=reading(4000, "Transaction.End")),
        10: event("Started", 10, offline=True, meterValue=reading(1000, "Transaction.Begin")),
        11: event("Updated", 11, offline=True),
    }
    for message in messages.values():
        cp.send_call("TransactionEvent", message)
    told = here.published()
    assert all(
        each.get("offline") is True for each in told if each["event"] in ("start_transaction", "transaction_update", "stop_transaction")
    )
    stopped = next(each["data"] for each in told if each["event"] == "stop_transaction")
    assert (stopped["match"], stopped["energy_wh"]) == ("none", None)
    assert cp.charger.ledger.find("tx-1").missing == []
    assert not cp.charger.ledger.running


@VERSIONS
def test_a_stop_that_shows_a_gap_says_what_is_missing(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0))
    cp.send_call("TransactionEvent", event("Ended", 3))
    assert here.published()[-1]["data"]["missing"] == [1, 2]


@VERSIONS
def test_two_transactions_do_not_mix(ocpp):
    """T11: keyed by (charger, transactionId)."""
    here = in_memory()
    one, two = here.connect("cp1", ocpp=ocpp), here.connect("cp2", ocpp=ocpp)
    for cp in (one, two):
        cp.call("TransactionEvent", event("Started", 0, meterValue=reading(0, "Transaction.Begin")))
    here.published()
    two.call("TransactionEvent", event("Ended", 1, meterValue=reading(5, "Transaction.End")))
    assert len(one.charger.ledger.running) == 1 and not two.charger.ledger.running


@VERSIONS
def test_a_message_without_what_tells_it_apart_is_refused(ocpp):
    cp = in_memory().connect(ocpp=ocpp)
    for broken, code in (
        (event("Begun", 0), "PropertyConstraintViolation"),
        (event("Started", 0) | {"transactionInfo": {}}, "OccurrenceConstraintViolation"),
    ):
        assert cp.call_error("TransactionEvent", broken) == code


@VERSIONS
def test_an_end_of_1970_is_still_known_after_sixty_of_today(ocpp):
    """T10, T5: what is forgotten first is what ended first by the gateway's clock."""
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    for number in range(60):
        cp.call("TransactionEvent", event("Ended", 5, id=f"tx-{number}"))
    late = event("Ended", 5, id="late", time="1970-01-01T00:10:00Z")
    cp.call("TransactionEvent", late)
    here.published()
    cp.call("TransactionEvent", late)
    assert here.published() == []


@VERSIONS
@pytest.mark.parametrize("digits", [4000, 5000])
def test_a_reading_of_thousands_of_digits_loses_no_transaction(ocpp, digits):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    endless = reading("9" * digits, "Transaction.Begin")
    for kind, seq in (("Started", 0), ("Updated", 1), ("Ended", 2)):
        cp.call("TransactionEvent", event(kind, seq, meterValue=endless))
    told = here.published()
    assert [each["event"] for each in told if each["event"] != "meter_value"][-3:] == [
        "start_transaction",
        "transaction_update",
        "stop_transaction",
    ]
    assert told[-1]["data"]["energy_wh"] is None
