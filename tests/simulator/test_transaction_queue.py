"""A simulated charger's transaction messages without an answer: they are kept, in order, and sent again."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from ocpp_tw.simulator.simulated_clock import parse_timestamp
from simulator.central import START, Central


def test_offline_the_messages_of_a_transaction_are_kept_and_sent_in_order_later(central: Central) -> None:
    central.start_charging().disconnect()
    central.frames.clear()
    central.run(185)
    central.charger.connectors[0].stop("Local")
    central.run(60)
    assert central.frames == []
    central.connect()
    frames = [frame for frame in central.frames if frame[2] in ("MeterValues", "StopTransaction")]
    assert [frame[2] for frame in frames] == ["MeterValues"] * 3 + ["StopTransaction"]
    assert all(frame[3]["transactionId"] == 1 for frame in frames)
    assert (parse_timestamp(frames[-1][3]["timestamp"]) or 0) < START + 190  # when it was, not when it was sent
    assert "BootNotification" not in [frame[2] for frame in central.frames]


def test_a_transaction_begun_offline_gets_its_id_when_its_start_is_answered(central: Central) -> None:
    central.connect().disconnect()
    done: Any = Deferred.fromCoroutine(central.charger.authorize_and_start("TAG", central.charger.connectors[1]))
    central.run(70)
    assert done.result is True
    central.names()
    central.connect()
    assert [name for name in central.names() if ":" not in name] == ["StartTransaction", "MeterValues"]
    central.run(60)
    assert central.payloads("MeterValues")[0]["transactionId"] == 1


@pytest.mark.parametrize("fresh", [False, True])
def test_an_unanswered_start_is_sent_again_with_the_same_text_or_by_option_a_new_id(fresh: bool) -> None:
    central = Central(fresh_ids=fresh)
    central.answers["StartTransaction"] = None
    central.start_charging().run(30)
    central.unanswered.clear()
    central.charger.configuration.set("TransactionMessageRetryInterval", "5")
    central.charger.apply_retry_settings()
    central.run(61)
    starts = [frame for frame in central.frames if frame[2] == "StartTransaction"]
    assert len(starts) == 2 and (starts[0][1] != starts[1][1]) is fresh and starts[0][2:] == starts[1][2:]
    central.shut_down()


def test_a_start_that_fails_for_good_is_dropped_and_its_stop_has_the_id_minus_one(central: Central) -> None:
    central.answers["StartTransaction"] = "InternalError"
    central.start_charging()
    assert central.command("ChangeConfiguration", {"key": "TransactionMessageRetryInterval", "value": "1"}) == {"status": "Accepted"}
    central.run(70)
    assert len(central.payloads("StartTransaction")) == 3
    central.charger.connectors[0].stop()
    central.run(1)
    assert central.payloads("StopTransaction")[0]["transactionId"] == -1 and central.charger.queue.lost == 1


def test_an_answer_after_the_timeout_makes_the_retry_unnecessary(central: Central) -> None:
    central.answers["StartTransaction"] = None
    central.start_charging().run(31)
    (start,) = [frame for frame in central.frames if frame[2] == "StartTransaction"]
    central.deliver([3, start[1], {"idTagInfo": {"status": "Accepted"}, "transactionId": 42}])
    central.run(100)
    transaction = central.charger.connectors[0].transaction
    assert transaction is not None and transaction.id == 42
    assert [frame[2] for frame in central.frames].count("StartTransaction") == 1


def test_the_connection_may_break_while_a_start_is_in_flight(central: Central) -> None:
    central.answers["StartTransaction"] = None
    central.start_charging().disconnect()
    central.answers["StartTransaction"] = {"idTagInfo": {"status": "Accepted"}, "transactionId": 9}
    central.connect()
    starts = [frame for frame in central.frames if frame[2] == "StartTransaction"]
    assert len(starts) == 2 and starts[0] == starts[1]  # byte for byte what the first was
    assert central.charger.connectors[0].transaction.id == 9  # type: ignore[union-attr]


def test_the_queue_is_bounded_and_drops_meter_values_first(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocpp_tw.simulator.transaction_queue.MAX_MESSAGES", 10)
    central.start_charging().disconnect()
    central.run(60 * 20)
    central.charger.connectors[0].stop()
    central.frames.clear()
    central.connect()
    assert central.charger.queue.lost == 11 and len(central.payloads("StopTransaction")) == 1
