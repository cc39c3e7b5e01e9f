"""Of a charger's refused messages no more are told than somebody would read; every one of them is answered and counted."""

from __future__ import annotations

import pytest
from twisted.logger import formatEvent, globalLogPublisher

from in_memory import in_memory

KINDS = {
    "text": ("nonsense", {}),
    "elements": ('[2,"%d","Heartbeat",7]', {}),
    "action": ('[2,"%d","Reboot",{}]', {}),
    "payload": ('[2,"%d","Authorize",{}]', {}),
    "registration": ('[2,"%d","Heartbeat",{}]', {"boot_status": "Rejected"}),
}
"""Ways to be refused: a text, and the settings."""

ANSWERED = 5000


@pytest.fixture
def logged():
    """The warnings that are logged meanwhile."""
    lines: list[str] = []

    def observe(event):
        if event["log_level"].name == "warn":
            lines.append(f"{formatEvent(event)}")

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def flooded(kind: str, ocpp: str = "2.0.1"):
    """A gateway and a charger that has been refused `ANSWERED` messages of that kind."""
    text, settings = KINDS[kind]
    here = in_memory(**settings)
    cp = here.connect(ocpp=ocpp)
    if settings:
        cp.call("BootNotification", {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}})
    here.published()
    for number in range(ANSWERED):
        cp.send_text(text.replace("%d", str(number)))
    return here, cp


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_flood_of_refused_messages_a_few_are_told_and_all_are_answered(kind, logged):
    here, cp = flooded(kind)
    refused = here.published()
    assert {event["event"] for event in refused} == {"message_refused"} and 50 <= len(refused) <= 200 and len(logged) <= 200
    assert [frame[0] for frame in cp.frames()] == [4] * ANSWERED
    here.clock.advance(60)
    cp.send_text("nonsense")
    (event,) = here.published()
    assert event["data"]["left_out"] == ANSWERED - len(refused) and all(event["data"]["left_out"] == 0 for event in refused)
    assert [event["seq"] for event in [*refused, event]] == list(range(refused[0]["seq"], event["seq"] + 1))


def test_after_a_flood_some_are_told_each_minute():
    here, cp = flooded("text")
    here.published()
    for _ in range(60):
        here.clock.advance(1)
        for _ in range(10):
            cp.send_text("nonsense")
    told = here.published()
    assert 5 <= len(told) <= 30
    assert sum(event["data"]["left_out"] for event in told[1:]) + len(told) <= 600


def test_a_charger_that_connects_again_has_used_up_its_own_and_no_others():
    here, cp = flooded("text")
    cp.disconnect()
    here.published()
    here.connect(ocpp="2.0.1").send_text("nonsense")
    assert "message_refused" not in here.published_names()
    here.connect("cp2").send_text("nonsense")
    assert here.published()[-1]["data"]["charger"] == "cp2"


def test_what_2_1_could_not_process_is_told_no_more_often():
    here = in_memory()
    cp = here.connect(ocpp="2.1")
    for number in range(ANSWERED):
        cp.send_text(f'[5,"{number}","FormatViolation","",{{}}]')
    assert here.published_names().count("message_refused") <= 200


def test_a_charger_that_is_refused_now_and_then_is_told_of_each_time():
    here = in_memory()
    cp = here.connect()
    here.published()
    for _ in range(300):
        here.clock.advance(10)
        cp.send_text("nonsense")
    assert [event["data"]["left_out"] for event in here.published()] == [0] * 300


def test_answers_to_nothing_are_logged_no_more_often(logged):
    cp = in_memory().connect()
    for number in range(ANSWERED):
        cp.send_text(f'[3,"{number}",{{}}]')
    assert 1 <= len(logged) <= 200


@pytest.mark.parametrize("text", ["nonsense", '[3,"1",{}]'])
def test_a_stranger_who_comes_back_again_and_again_does_not_fill_the_log(logged, text):
    """Under ever new names too: there is a limit for all together, and a count of the lines that were left out."""
    here = in_memory()
    for number in range(200):
        cp = here.connect(f"cp{number}")
        for _ in range(20):
            cp.send_text(text)
        cp.disconnect()
    told = len(logged)
    assert 300 <= told <= 320
    here.clock.advance(60)
    here.connect("cp1000").send_text(text)
    assert len(logged) == told + 1
