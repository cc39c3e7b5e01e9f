"""The gateway's own handlers: who is accepted, who is asked about, and what is answered when the backend is of no use."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from inspect import isawaitable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from zope.interface.verify import verifyObject

from ocpp_tw.backend.static import StaticBackend
from ocpp_tw.core.entries import Record
from ocpp_tw.core.provisional import start_key
from ocpp_tw.facts import (
    Answer,
    Authorization,
    Authorize,
    BootNotification,
    DataTransfer,
    DataTransferResult,
    Other,
    Registration,
    Start,
    Started,
    Stopped,
    TransactionEventInfo,
    Updated,
)
from ocpp_tw.gateway.breaker import FAILURES, Breaker
from ocpp_tw.handlers import Handlers, find
from ocpp_tw.interfaces import IHandlers
from ocpp_tw.settings import InvalidSetting, Settings

NOW = "2026-11-23T08:00:00Z"
SETTINGS = Settings(base_url="http://b", authorize="backend", backend_actions=("SignCertificate", "DataTransfer"))


@dataclass
class Someone:
    """A charger, as handlers see it."""

    id: str = "cp1"
    domain: str = "csms.example.com"
    ocpp: str = "2.0.1"
    registration: str = ""
    record: Record = field(default_factory=Record)


def step(kind: str = "", conn: int | None = 2) -> TransactionEventInfo:
    return TransactionEventInfo(1, "Authorized", conn=conn, tag_type=kind)


def started(tag: str, kind: str = "", conn: int | None = 2) -> Started:
    return Started(conn or 0, tag, None, NOW, transaction_id="t1", event_info=step(kind, conn))


OLD = Started(1, "TAG", 1000, NOW)


def now(verdict: Any) -> Any:
    """The verdict, which needs no waiting: the backend of dictionaries answers at once."""
    if not isawaitable(verdict):
        return verdict
    got: list[Any] = []
    Deferred.fromCoroutine(verdict).addCallback(got.append)
    return got[0]


@pytest.fixture
def backend() -> StaticBackend:
    return StaticBackend({"TAG": 7}, {"TAG": Authorization(parent_tag="family"), "BAD": Authorization("NoCredit")})


@pytest.fixture
def handlers(backend: StaticBackend) -> Handlers:
    return Handlers(SETTINGS, backend)


def test_they_are_handlers(handlers):
    assert verifyObject(IHandlers, handlers)


# boot (B1)


@pytest.mark.parametrize(
    ("setting", "registration", "decided", "verdict"),
    [
        ("Accepted", "", Record(), Registration("Accepted", 300)),
        ("Pending", "", Record(), Registration("Pending", 300)),
        ("Pending", "Accepted", Record(), Registration("Accepted", 300)),
        ("Pending", "Rejected", Record(), Registration("Pending", 300)),
        ("Pending", "", Record(retry_interval="60"), Registration("Pending", 60)),
        ("Accepted", "Accepted", Record(boot_status="Rejected", retry_interval="60"), Registration("Rejected", 60)),
        ("Pending", "", Record(boot_status="Accepted", retry_interval="60"), Registration("Accepted", 300)),
    ],
)
def test_an_operators_decision_goes_before_all_else(setting, registration, decided, verdict):
    """B1, B3, B5: the interval that was decided on is between tries, and not between heartbeats."""
    handlers = Handlers(Settings(boot_status=setting))
    assert handlers.boot_notification(Someone(registration=registration, record=decided), BootNotification("v", "m")) == verdict


# tags


def test_without_a_backend_everybody_may_charge_at_once():
    """The verdict itself, not something to await."""
    handlers, someone = Handlers(Settings()), Someone()
    assert handlers.authorize(someone, Authorize("x", "eMAID")) == Authorization()
    assert handlers.started(someone, OLD) == handlers.started(someone, started("x")) == Start()
    assert handlers.updated(someone, Updated("t1", NOW, step("ISO14443"), "x")) == Authorization()
    assert handlers.stopped(someone, Stopped("t1", None, NOW, "Local", "x", event_info=step())) == Authorization()


def test_the_kind_of_a_tag_is_told(handlers, backend):
    """T9: whoever presents a tag is verified, whichever message it comes in (E01.FR.11, E02.FR.04, E05.FR.01)."""
    someone, verdict = Someone(), backend.tags["TAG"]
    assert now(handlers.authorize(someone, Authorize("TAG", "ISO14443"))) == verdict
    assert now(handlers.updated(someone, Updated("t1", NOW, step("eMAID"), "TAG"))) == verdict
    assert now(handlers.stopped(someone, Stopped("t1", None, NOW, "Local", "TAG", event_info=step("Local", None)))) == verdict
    assert now(handlers.started(someone, started("TAG", "ISO15693", None))) == Start(verdict, 7)
    assert backend.asked == [
        ("authorize", "TAG", "cp1", None, "ISO14443"),
        ("authorize", "TAG", "cp1", 2, "eMAID"),
        ("authorize", "TAG", "cp1", None, "Local"),
        ("authorize", "TAG", "cp1", None, "ISO15693"),
        ("transaction", "TAG", "cp1", 0, start_key("cp1", started("TAG", "ISO15693", None))),
    ]


def test_the_backends_word_is_passed_on(handlers):
    """NoCredit and its like are words of 2.x; what 1.6 makes of them is 1.6's business."""
    assert now(handlers.authorize(Someone(), Authorize("BAD", "Central"))) == Authorization("NoCredit")
    assert now(handlers.started(Someone(), started("BAD"))) == Start(Authorization("NoCredit"))


def test_a_button_is_nobodys_tag(handlers, backend):
    """T13: NoAuthorization is Accepted (C02.FR.02), wherever it comes."""
    someone = Someone()
    assert handlers.authorize(someone, Authorize("", "NoAuthorization")) == Authorization()
    assert handlers.started(someone, started("", "NoAuthorization")) == Start()
    assert handlers.updated(someone, Updated("t1", NOW, step("NoAuthorization"), "")) == Authorization()
    assert handlers.stopped(someone, Stopped("t1", None, NOW, "Local", "", event_info=step("NoAuthorization"))) == Authorization()
    assert backend.asked == []


def test_a_2x_transaction_may_begin_without_a_tag(handlers, backend):
    """Plugged in first: there is nobody to ask about yet."""
    assert handlers.started(Someone(), started("")) == Start()
    assert handlers.updated(Someone(), Updated("t1", NOW, step())) is None
    assert handlers.stopped(Someone(), Stopped("t1", None, NOW, event_info=step())) is None
    assert backend.asked == []


def test_a_tag_without_a_transaction_is_invalid(handlers, backend):
    """T1, T9: in both, and what was said of the tag before stands."""
    backend.tags["NEW"] = Authorization()
    for fact in (started("NEW", "Central"), replace_tag(OLD, "NEW")):
        assert now(handlers.started(Someone(), fact)) == Start(Authorization("Invalid"))
    assert now(handlers.started(Someone(), OLD)) == Start(backend.tags["TAG"], 7)


def replace_tag(fact: Started, tag: str) -> Started:
    return Started(fact.conn, tag, fact.meter_start, fact.timestamp)


def test_with_authorize_accept_only_the_transaction_is_asked_for(backend):
    handlers = Handlers(replace(SETTINGS, authorize="accept"), backend)
    assert handlers.authorize(Someone(), Authorize("BAD", "Central")) == Authorization()
    assert now(handlers.started(Someone(), started("TAG", "Central"))) == Start(Authorization(), 7)
    assert backend.asked == [("transaction", "TAG", "cp1", 2, start_key("cp1", started("TAG")))]


def test_a_stop_of_1_6_is_never_refused(handlers, backend):
    """T2: OCPP 1.6 §4.10. Its tag is verified all the same, since the charger may keep the verdict (§3.5.1)."""
    assert now(handlers.stopped(Someone(), Stopped(5, 10, NOW, "Local", "BAD"))) == Authorization("NoCredit")
    assert now(handlers.stopped(Someone(), Stopped(5, 10, NOW, "Local", "TAG"))) == backend.tags["TAG"]
    assert handlers.stopped(Someone(), Stopped(5, 10, NOW)) is None
    assert backend.asked == [("authorize", "BAD", "cp1", None), ("authorize", "TAG", "cp1", None)]


@pytest.mark.parametrize("policy", ["provisional", "deny"])
def test_nobody_vouches_for_the_tag_of_a_stop_of_1_6_while_the_backend_is_away(backend, policy):
    """1.6 §4.10: idTagInfo is optional there; in 2.x it is not, and the policy decides."""
    handlers = Handlers(replace(SETTINGS, backend_policy=policy), backend)
    backend.fail()
    assert now(handlers.stopped(Someone(), Stopped(5, 10, NOW, "Local", "TAG"))) is None
    in_2x = now(handlers.stopped(Someone(), Stopped("t1", None, NOW, "Local", "TAG", event_info=step())))
    assert in_2x == Authorization("Accepted" if policy == "provisional" else "Invalid")


@pytest.mark.parametrize(("policy", "status"), [("provisional", "Accepted"), ("deny", "Invalid")])
def test_a_backend_of_no_use(backend, policy, status):
    """T1, T9: the answer comes all the same."""
    handlers, someone = Handlers(replace(SETTINGS, backend_policy=policy), backend), Someone()
    backend.fail()
    assert now(handlers.started(someone, OLD)) == Start(Authorization(status), provisional=True)
    assert now(handlers.started(someone, started("TAG", "Central"))) == Start(Authorization(status), provisional=True)
    assert now(handlers.authorize(someone, Authorize("TAG"))) == Authorization(status)
    assert now(handlers.updated(someone, Updated("t1", NOW, step(), "TAG"))) == Authorization(status)
    assert now(handlers.other(someone, Other("SignCertificate", {}))) == Answer()
    assert now(handlers.data_transfer(someone, DataTransfer("com.example"))) == DataTransferResult()


def test_key_codes_are_never_in_the_log(backend):
    """T13: C04.FR.04."""
    lines: list[str] = []
    handlers = Handlers(SETTINGS, Breaker(backend, Clock()))  # it is the breaker that tells of failures

    def observe(event: Any) -> None:
        lines.append(f"{formatEvent(event)} {event}")

    globalLogPublisher.addObserver(observe)
    try:
        backend.fail("gone")
        for fact in (Authorize("4711", "KeyCode"),):
            now(handlers.authorize(Someone(), fact))
        now(handlers.started(Someone(), started("4711", "KeyCode")))
        now(handlers.updated(Someone(), Updated("t1", NOW, step("KeyCode"), "4711")))
        now(handlers.stopped(Someone(), Stopped("t1", None, NOW, "Local", "4711", event_info=step("KeyCode"))))
    finally:
        globalLogPublisher.removeObserver(observe)
    assert len(lines) == FAILURES + 1
    assert "4711" not in "".join(lines)


# the backend's own answers


def test_the_backend_answers_what_the_settings_name(handlers, backend):
    """S9: a CSR is for a CA to decide on."""
    backend.answers |= {"SignCertificate": {"status": "Accepted"}, "NotifyEVChargingNeeds": {"status": "Accepted"}}
    assert now(handlers.other(Someone(), Other("SignCertificate", {"csr": "é"}))) == Answer({"status": "Accepted"})
    assert handlers.other(Someone(), Other("NotifyEVChargingNeeds", {})) == Answer()
    [(method, charger, ocpp, action, payload)] = backend.asked
    assert (method, charger, ocpp, action) == ("answer", "cp1", "2.0.1", "SignCertificate")
    assert json.loads(payload) == {"csr": "é"}


def test_a_backend_with_nothing_to_say_leaves_the_gateways_own_answer(handlers):
    assert now(handlers.other(Someone(), Other("SignCertificate", {}))) == Answer()


@pytest.mark.parametrize(
    ("members", "verdict"),
    [
        ({"status": "Rejected"}, DataTransferResult("Rejected")),
        ({"data": "42"}, DataTransferResult("Accepted", "42")),
        ({"status": "Accepted", "data": {"a": [1]}}, DataTransferResult("Accepted", '{"a":[1]}')),
        ({"status": "Fine"}, DataTransferResult()),
        ({"status": []}, DataTransferResult()),
    ],
)
def test_the_backend_may_answer_vendors_data(handlers, backend, members, verdict):
    backend.answers["DataTransfer"] = members
    assert now(handlers.data_transfer(Someone(), DataTransfer("com.example", None, {"x": 1}))) == verdict
    assert json.loads(backend.asked[0][4]) == {"vendorId": "com.example", "data": {"x": 1}}


def test_vendors_data_is_accepted_otherwise():
    """S16: the backend has it as an event."""
    assert Handlers(Settings()).data_transfer(Someone(), DataTransfer("com.example")) == DataTransferResult()


def test_a_plugin_with_a_former_name_is_refused(monkeypatch):
    """It would never be called: a tag that it blocks would be let in."""

    class Former(Handlers):
        def presented(self, charger, fact):
            return Authorization("Blocked")

    class Plugin:
        name = "former"

        def handlers(self, settings, backend):
            return Former(settings, backend)

    monkeypatch.setattr("ocpp_tw.handlers.getPlugins", lambda interface: [Plugin()])
    with pytest.raises(InvalidSetting, match="presented is authorize now"):
        find(Settings(handlers="former"), None)
