"""What a recording is read as, and which answers count as different."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocpp_tw.tapping.comparing import TransactionIds, differences
from ocpp_tw.tapping.printing import Printer
from ocpp_tw.tapping.recording import WrongFile, read


def line(time: str, direction: str, frame: Any, charger: str = "cp1") -> str:
    return json.dumps({"time": f"2026-11-29T08:00:{time}Z", "charger": charger, "direction": direction, "frame": frame, "gateway": "gw"})


RECORDING = [
    line("03", "in", [3, "g-1", {"status": "Accepted"}]),
    line("00", "in", [2, "1", "Heartbeat", {}]),
    line("01", "out", [3, "1", {"currentTime": "2026-11-29T08:00:01Z"}]),
    line("02", "out", [2, "g-1", "Reset", {"type": "Soft"}]),
    line("04", "in", [2, "1", "Authorize", {"idTag": "T"}]),
    line("05", "in", None),
    line("06", "in", [2, "1", "TransactionEvent", {}], "cp2"),
]


def test_calls_and_their_answers_are_paired_in_the_order_of_their_times():
    one, two = read([*RECORDING, ""])
    assert [(each.action, each.answer) for each in one.sent] == [
        ("Heartbeat", [3, "1", {"currentTime": "2026-11-29T08:00:01Z"}]), ("Authorize", None),
    ]  # fmt: skip
    assert one.answers == {"Reset": [[3, "g-1", {"status": "Accepted"}]]}
    assert (one.version, two.version) == ("1.6", "2.0.1")


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"time":"x","charger":"c","direction":"in","frame":[]}', '{"time":1}'])
def test_what_is_no_recording_is_refused_with_its_line(text):
    with pytest.raises(WrongFile, match="line 2"):
        read([RECORDING[0], text])


@pytest.mark.parametrize(
    ("recorded", "now", "found"),
    [
        ([3, "1", {"currentTime": "2026-11-29T08:00:01Z"}], [3, "2", {"currentTime": "2026-12-01T08:00:01.5Z"}], []),
        ([3, "1", {"transactionId": 7, "a": [1]}], [3, "1", {"transactionId": 8, "a": [1]}], []),
        ([3, "1", {"a": {"b": [1, 2]}}], [3, "1", {"a": {"b": [1, 3]}}], ["a.b[1] was 2, and is 3 now"]),
        ([3, "1", {"a": 1}], [3, "1", {}], ["a was 1, and is None now"]),
        ([3, "1", {"a": [1]}], [3, "1", {"a": [1, 2]}], ["a was [1], and is [1, 2] now"]),
        ([3, "1", {"a": "***"}], [3, "1", {"a": "x"}], []),
        ([3, "1", {"x": 1}], [3, "1", {"x": 2}], []),
        ([4, "1", "InternalError", "a", {}], [4, "1", "InternalError", "b", {}], []),
        ([4, "1", "InternalError", "a", {}], [4, "1", "NotSupported", "a", {}], ["the error code was 'InternalError', and is 'NotSupported' now"]),
        ([3, "1", {}], [4, "1", "X", "", {}], ["it was answered with a result, and now with the error 'X'"]),
    ],
)  # fmt: skip
def test_what_must_differ_is_no_difference(recorded, now, found):
    assert list(differences(recorded, now, frozenset(["x"]))) == found


def test_later_messages_have_the_transaction_id_of_now():
    ids = TransactionIds()
    ids.learn([3, "1", {"transactionId": 7}], [3, "1", {"transactionId": 9}])
    ids.learn(None, [3, "1", {}])
    assert ids.replaced({"transactionId": 7, "meterStop": 7, "more": [{"transactionId": 5}]}) == {
        "transactionId": 9, "meterStop": 7, "more": [{"transactionId": 5}],
    }  # fmt: skip


def test_what_a_charger_says_cannot_steer_the_terminal():
    evil = "\x1b[2J\u202e\n"
    told = json.loads(line("00", "in", [2, evil, f"Data{evil}", {"x": evil}], f"c{evil}"))
    for text in (
        Printer(colours=False).frame(told),
        Printer(colours=False).frame({**told, "frame": None, "text": evil, "length": 4}),
        Printer(colours=False).event({"time": told["time"], "event": evil, "seq": 1, "data": {"charger": evil}}),
    ):
        assert text.isprintable()
