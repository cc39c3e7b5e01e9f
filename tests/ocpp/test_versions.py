"""Every action of every version, in both directions, from payloads made of their schemas: valid ones, and every way to break one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import payloads
from in_memory import in_memory
from ocpp_tw.core.passwords import usable
from ocpp_tw.ocpp.actions import snake_case
from ocpp_tw.ocpp.checks import UNIT
from ocpp_tw.ocpp.passwords import passwords_in
from ocpp_tw.ocpp.v2 import V21, V201
from ocpp_tw.ocpp.v16 import V16

ALL = {"1.6": V16, "2.0.1": V201, "2.1": V21}
SENT = [(ocpp, action) for ocpp, version in ALL.items() for action in sorted(version.translations)]
FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
ASKED = [(ocpp, action) for ocpp, version in ALL.items() for action in sorted(version.csms_actions)]


def request(ocpp: str, action: str) -> Any:
    """The schema of a request."""
    whole = ocpp == "1.6" or action == "NotifyPeriodicEventStream"
    return payloads.schema(FOLDERS[ocpp], action if whole else f"{action}Request")


RENAMED_EVENTS = {
    "BootNotification", "Heartbeat", "Authorize", "StatusNotification", "StartTransaction", "StopTransaction", "TransactionEvent",
    "MeterValues", "DataTransfer",
}  # fmt: skip
"""Actions with events of other names."""

REPEATED = ("TransactionEvent", "StartTransaction", "StopTransaction")

relaxed = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def test_every_version_has_all_its_actions():
    """28 and 11, 64, 90, each sent by one side; DataTransfer by both."""
    for version, count in ((V16, 39), (V201, 64), (V21, 91)):
        assert len(version.schemas.actions) == count  # 2.1: 90 that are answered, and the one that is not
        assert set(version.translations) | version.csms_actions == version.schemas.actions
        assert set(version.translations) & version.csms_actions == {"DataTransfer"}


def test_2_1_is_2_0_1_and_more():
    assert set(V201.translations) < set(V21.translations) and V201.csms_actions < V21.csms_actions
    assert all(V21.translations[action] == V201.translations[action] for action in ("TransactionEvent", "BootNotification", "Authorize"))


@relaxed
@given(st.sampled_from(SENT), st.data())
def test_every_message_of_a_charger_gets_a_valid_answer_and_an_event(what: tuple[str, str], data: st.DataObject):
    ocpp, action = what
    version = ALL[ocpp]
    payload: Any = data.draw(payloads.valid(request(ocpp, action)))
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    here.published()
    if action in version.send_actions:
        cp.send_text(json.dumps([6, "1", action, payload]))
        assert cp.frames() == []
    else:
        cp.send_text(json.dumps([2, "1", action, payload]))
        answer = next(frame for frame in cp.frames() if frame[0] != 2)
        assert answer[:2] == [3, "1"], answer
        if action in version.schemas.valid_answer:
            assert version.schemas.answer(action, answer[2]) == []
    told = here.published()
    assert told and all(event["payload"] == payload for event in told if "payload" in event)
    if action not in RENAMED_EVENTS:
        assert told[0]["event"] == snake_case(action)
    # A schema leaves units open, bounds no integer and hardly restricts a timestamp: those are looked at beside it.
    assert {each["rule"] for event in told for each in event.get("violations", ())} <= {UNIT, "format", "maximum"}


@relaxed
@given(st.sampled_from(ASKED), st.data())
def test_every_request_reaches_the_charger_unchanged(what: tuple[str, str], data: st.DataObject):
    ocpp, action = what
    payload: Any = data.draw(payloads.valid(request(ocpp, action)))
    assume(all(map(usable, passwords_in(action, payload))))  # the schemas allow some that OCPP's text does not
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    here.dispatcher.start()
    here.published()
    here.push_command(CpID="cp1", data=[2, "u1", action, payload])
    (frame,) = cp.frames()
    if action not in ("GetVariables", "SetVariables"):  # those may be split into parts
        assert frame == [2, "u1", action, payload]
    cp.disconnect()
    here.dispatcher.stop()


@pytest.mark.parametrize("ocpp", ALL)
def test_every_violation_has_its_error_code_in_strict_mode(ocpp: str):
    """R9, R10: as each version spells it."""
    version, here = ALL[ocpp], in_memory(validation="strict")
    cp = here.connect(ocpp=ocpp)
    for action in sorted(set(version.translations) - version.send_actions):
        for number, breach in enumerate(payloads.broken(request(ocpp, action))):
            violations = version.schemas.request(action, breach.payload)
            assert violations, (action, breach)
            code = cp.call_error(action, breach.payload, f"{action}-{number}")
            assert code == version.code(violations[0].rule) and breach.rule in {each.rule for each in violations}, (action, breach)


@pytest.mark.parametrize("ocpp", ALL)
def test_whatever_is_let_in_gets_a_valid_answer(ocpp: str):
    version, here = ALL[ocpp], in_memory()
    cp = here.connect(ocpp=ocpp)
    for action in sorted(set(version.translations) - version.send_actions):
        cases = [{}, *(each.payload for each in payloads.broken(request(ocpp, action)))]
        for number, payload in enumerate(cases):
            cp.send_call(action, payload, f"{action}-{number}")
            frame = next(each for each in cp.frames() if each[0] in (3, 4))
            assert frame[0] == 4 or version.schemas.answer(action, frame[2]) == [], (action, payload, frame)
            if cp.charger.registration:
                cp.charger.registration_state.answered("Accepted")


CHAIN = {
    "certificateHashData": {"hashAlgorithm": "SHA256", "issuerNameHash": "n", "issuerKeyHash": "k", "serialNumber": "1"},
    "source": "CRL",
}


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("VatNumberValidation", {}, "OccurrenceConstraintViolation"),
        ("VatNumberValidation", {"vatNumber": None}, "TypeConstraintViolation"),
        ("VatNumberValidation", {"vatNumber": "x" * 21}, "PropertyConstraintViolation"),
        ("GetCertificateChainStatus", {"certificateStatusRequests": 7}, "TypeConstraintViolation"),
        ("GetCertificateChainStatus", {"certificateStatusRequests": [7]}, "TypeConstraintViolation"),
        ("GetCertificateChainStatus", {"certificateStatusRequests": []}, "OccurrenceConstraintViolation"),
        ("GetCertificateChainStatus", {"certificateStatusRequests": [CHAIN] * 5}, "OccurrenceConstraintViolation"),
    ],
)
def test_2_1_a_request_whose_answer_could_not_repeat_it_is_refused(action, payload, code):
    """VatNumberValidationResponse and CertificateStatusType have members of the request that are required."""
    assert in_memory().connect(ocpp="2.1").call_error(action, payload) == code


def test_2_1_what_an_answer_need_not_repeat_does_no_harm():
    odd = CHAIN | {"certificateHashData": CHAIN["certificateHashData"] | {"more": 1}, "urls": 7}
    answer = in_memory().connect(ocpp="2.1").call("GetCertificateChainStatus", {"certificateStatusRequests": [odd]})
    assert answer == {"certificateStatus": [CHAIN | {"status": "Failed", "nextUpdate": "1970-01-01T00:00:00Z"}]}


@pytest.mark.parametrize("ocpp", ALL)
def test_every_violation_is_in_the_event_of_its_message_or_in_message_refused(ocpp: str):
    """FIELD 20: no message is lost."""
    version, here = ALL[ocpp], in_memory()
    cp = here.connect(ocpp=ocpp)
    for action in sorted(set(version.translations) - version.send_actions):
        for number, breach in enumerate(payloads.broken(request(ocpp, action))):
            here.published()
            cp.send_call(action, breach.payload, f"{action}-{number}")
            frame = next(each for each in cp.frames() if each[0] in (3, 4))
            told = [each for each in here.published() if "violations" in each]
            if cp.charger.registration:
                cp.charger.registration_state.answered("Accepted")
            assert told or (action in REPEATED and frame[0] == 3), (action, breach)  # a repeat has no event of its own
            assert (frame[0] == 4) == any(each["event"] == "message_refused" for each in told), (action, breach, frame)
