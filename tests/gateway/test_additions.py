"""`--backend-actions` names Authorize or a transaction's messages: the backend adds to the gateway's own answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from twisted.internet.defer import Deferred, fail, succeed

from in_memory import START_1, in_memory, stop
from ocpp_tw.backend.static import StaticBackend
from ocpp_tw.facts import Authorization
from ocpp_tw.handlers import find
from ocpp_tw.interfaces import BackendFailed
from ocpp_tw.read_settings import read
from ocpp_tw.settings import InvalidSetting, Settings
from ocpp_tw.testing import InMemoryGateway

ACTIONS = ("Authorize", "StartTransaction", "StopTransaction", "TransactionEvent")
NOW = "2026-11-23T08:00:00Z"


class Adding(StaticBackend):
    """A backend with one answer to everything."""

    def __init__(self, adds: Any) -> None:
        super().__init__({"TAG1": 7}, {})
        self.adds = adds
        self.posted: list[tuple[str, str, Any]] = []

    def answer(self, charger: str, ocpp: str, action: str, payload: bytes) -> Deferred[dict[str, Any] | None]:
        self.posted.append((ocpp, action, msgspec.json.decode(payload)))
        return self.adds if isinstance(self.adds, Deferred) else succeed(self.adds)


def gateway(adds: Any, actions: tuple[str, ...] = ACTIONS) -> tuple[InMemoryGateway, Adding]:
    backend = Adding(adds)
    settings = Settings(name="gw", base_url="http://b", backend_actions=actions)
    return InMemoryGateway(settings, backend=backend), backend


def event(kind: str, seq: int, **more: Any) -> dict[str, Any]:
    return {
        "eventType": kind, "timestamp": NOW, "triggerReason": "Authorized", "seqNo": seq,
        "transactionInfo": {"transactionId": "t1"}, **more,
    }  # fmt: skip


TOKEN = {"idToken": {"idToken": "TAG1", "type": "ISO14443"}}


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_the_backend_adds_to_authorize(ocpp):
    """C07: certificateStatus, which only the backend knows; the whole payload is what it is asked with."""
    adds = {"certificateStatus": "Accepted", "idTokenInfo": {"chargingPriority": 3}}
    here, backend = gateway(adds)
    cp = here.connect(ocpp=ocpp)
    request = TOKEN | {"iso15118CertificateHashData": []}
    assert cp.call("Authorize", TOKEN) == {"idTokenInfo": {"status": "Accepted", "chargingPriority": 3}, "certificateStatus": "Accepted"}
    cp.call("Authorize", request)
    assert backend.posted == [(ocpp, "Authorize", TOKEN), (ocpp, "Authorize", request)]


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_the_backend_adds_to_every_transaction_event(ocpp):
    """I02: totalCost, and a message for the driver; idTokenInfo answers only a message with an idToken (E01.FR.11)."""
    adds = {"totalCost": 1.5, "updatedPersonalMessage": {"format": "UTF8", "content": "hi"}, "idTokenInfo": {"language1": "de"}}
    here, backend = gateway(adds)
    cp = here.connect(ocpp=ocpp)
    for n, kind in enumerate(("Started", "Updated", "Ended")):
        answer = cp.call("TransactionEvent", event(kind, n, **(TOKEN if kind == "Started" else {})))
        assert (answer["totalCost"], answer["updatedPersonalMessage"]["content"]) == (1.5, "hi")
        assert answer.get("idTokenInfo") == ({"status": "Accepted", "language1": "de"} if kind == "Started" else None)
    assert [action for _, action, _ in backend.posted] == ["TransactionEvent"] * 3
    names = [each["event"] for each in here.published()]
    assert names == ["connect_charger", "start_transaction", "transaction_update", "stop_transaction"]


def test_in_1_6_it_says_more_of_the_tag_and_never_the_id():
    here, backend = gateway({"transactionId": 99, "idTagInfo": {"parentIdTag": "family"}})
    cp = here.connect()
    assert cp.call("Authorize", {"idTag": "TAG1"}) == {"idTagInfo": {"status": "Accepted", "parentIdTag": "family"}}
    begun = cp.call("StartTransaction", START_1)
    assert begun == {"transactionId": 7, "idTagInfo": {"status": "Accepted", "parentIdTag": "family"}}
    ended = cp.call("StopTransaction", stop(7, idTag="TAG1"))
    assert ended == {"idTagInfo": {"status": "Accepted", "parentIdTag": "family"}}
    assert [action for _, action, _ in backend.posted] == ["Authorize", "StartTransaction", "StopTransaction"]


@pytest.mark.parametrize(
    ("adds", "status"),
    [
        ({"idTokenInfo": {"status": "Blocked"}}, "Blocked"),
        ({"certificateStatus": "CertificateRevoked"}, "Invalid"),
        ({"certificateStatus": "CertificateExpired", "idTokenInfo": {"status": "Accepted"}}, "Expired"),
        ({"idTokenInfo": {"status": "Nonsense"}}, "Accepted"),
        ({"idTokenInfo": {"status": None}}, "Accepted"),
        ({"idTokenInfo": 7}, "Accepted"),
        ({}, "Accepted"),
        (None, "Accepted"),
    ],
)
def test_a_status_that_it_says_is_told_as_it_is_answered(adds, status):
    """C07.FR.15 to 17; where it says nothing of use the gateway's own verdict stands."""
    here, _ = gateway(adds)
    cp = here.connect(ocpp="2.0.1")
    assert cp.call("Authorize", TOKEN)["idTokenInfo"]["status"] == status
    assert here.published()[-1]["data"]["status"] == status


@pytest.mark.parametrize(("ocpp", "kind"), [("2.0.1", "Started"), ("2.1", "Started"), ("2.1", "Updated"), ("2.1", "Ended")])
def test_a_status_that_no_answer_can_have_is_not_told(ocpp, kind):
    """Nobody has presented a tag: there is no idTokenInfo (E01.FR.11)."""
    here, _ = gateway({"idTokenInfo": {"status": "Blocked"}})
    cp = here.connect(ocpp=ocpp)
    assert cp.call("TransactionEvent", event(kind, 0)) == {}
    assert here.published()[-1]["data"].get("status") == ("Accepted" if kind == "Started" else None)


@pytest.mark.parametrize("status", ["NoCredit", "NotAtThisTime"])
def test_in_1_6_a_status_of_2_x_is_told_as_it_is_answered(status):
    here, _ = gateway({"idTagInfo": {"status": status}})
    cp = here.connect()
    for action, payload in (("Authorize", {"idTag": "TAG1"}), ("StartTransaction", START_1)):
        assert cp.call(action, payload)["idTagInfo"]["status"] == "Invalid"
        assert here.published()[-1]["data"]["status"] == "Invalid"


def test_so_is_one_that_the_backend_says_of_a_tag():
    backend = StaticBackend({"TAG1": 7}, {"TAG1": Authorization("NoCredit")})
    here = InMemoryGateway(Settings(name="gw", base_url="http://b", authorize="backend"), backend=backend)
    cp = here.connect()
    for action, payload in (("Authorize", {"idTag": "TAG1"}), ("StartTransaction", START_1), ("StartTransaction", START_1)):
        assert cp.call(action, payload)["idTagInfo"]["status"] == "Invalid"
    assert [each["data"]["status"] for each in here.published() if "status" in each["data"]] == ["Invalid", "Invalid"]


@pytest.mark.parametrize("adds", [{"certificateStatus": "Fine"}, {"totalCost": 1}, {"idTokenInfo": {"language1": 7}}])
def test_what_breaks_the_schema_is_left_out(adds, tidy):
    here, _ = gateway(adds)
    cp = here.connect(ocpp="2.0.1")
    assert cp.call("Authorize", TOKEN) == {"idTokenInfo": {"status": "Accepted"}}


def test_a_backend_that_fails_delays_and_changes_nothing():
    waiting: Deferred[Any] = Deferred()
    here, _ = gateway(waiting)
    cp = here.connect(ocpp="2.0.1")
    cp.send_call("TransactionEvent", event("Started", 0, **TOKEN), "u1")
    assert cp.frames() == []
    waiting.errback(BackendFailed("down"))
    assert cp.frames() == [[3, "u1", {"idTokenInfo": {"status": "Accepted"}}]]
    assert here.published_names()[-1] == "start_transaction"


def test_it_is_not_asked_about_what_is_not_named():
    here, backend = gateway({"totalCost": 1.0}, ("Authorize",))
    cp = here.connect(ocpp="2.0.1")
    assert cp.call("TransactionEvent", event("Started", 0, **TOKEN)) == {"idTokenInfo": {"status": "Accepted"}}
    assert backend.posted == []


def test_an_answer_that_never_comes_is_not_waited_for_for_ever(tidy):
    here, _ = gateway(Deferred())
    cp = here.connect(ocpp="2.0.1")
    cp.send_call("Authorize", TOKEN, "u1")
    here.clock.advance(20)
    assert cp.frames() == [[3, "u1", {"idTokenInfo": {"status": "Accepted"}}]]
    tidy.clear()


def test_a_start_that_is_repeated_on_a_new_connection_meanwhile_is_told_once():
    waiting: Deferred[Any] = Deferred()
    here, backend = gateway(waiting)
    cp = here.connect(ocpp="2.0.1")
    cp.send_call("TransactionEvent", event("Started", 0), "u1")
    cp.disconnect()
    again = here.connect(ocpp="2.0.1")
    backend.adds = {}
    assert again.call("TransactionEvent", event("Started", 0)) == {}
    waiting.callback({})
    assert here.published_names().count("start_transaction") == 1


# what may be named


@pytest.mark.parametrize(
    ("actions", "versions"),
    [
        ("Reset", "1.6,2.0.1,2.1"),  # not for chargers to send
        ("Autorize", "1.6,2.0.1,2.1"),
        ("SignCertificate,Heartbeat", "1.6,2.0.1,2.1"),  # the gateway's own
        ("BootNotification", "2.0.1"),
        ("StatusNotification", "1.6"),
        ("MeterValues", "2.1"),
        ("NotifyPeriodicEventStream", "2.1"),  # never answered
        ("TransactionEvent", "1.6"),
        ("StartTransaction", "2.0.1,2.1"),
        ("VatNumberValidation", "1.6,2.0.1"),
    ],
)
def test_a_name_that_never_leads_to_a_request_is_refused_at_the_start(actions, versions):
    settings = read({"backend_actions": actions, "versions": versions, "base_url": "http://b"}, {})
    with pytest.raises(InvalidSetting, match=f"--backend-actions: {actions.rpartition(',')[2]}: with --versions"):
        find(settings, None)


@pytest.mark.parametrize(
    ("actions", "versions"),
    [
        ("Authorize,StartTransaction,StopTransaction,DataTransfer", "1.6"),
        ("GetCertificateStatus,Get15118EVCertificate,SignCertificate", "1.6"),  # Plug & Charge by DataTransfer
        ("TransactionEvent,NotifyEVChargingNeeds", "2.0.1"),
        ("VatNumberValidation,StartTransaction", "1.6,2.1"),
    ],
)
def test_names_that_lead_to_requests_are_taken(actions, versions):
    find(read({"backend_actions": actions, "versions": versions, "base_url": "http://b"}, {}), None)


def test_without_a_backend_there_is_nobody_to_ask():
    with pytest.raises(InvalidSetting, match="--backend-actions: needs --base-url"):
        read({"backend_actions": "SignCertificate"}, {})


def test_nothing_is_asked_where_nothing_is_named():
    here = in_memory()
    assert here.connect(ocpp="2.0.1").call("Authorize", TOKEN) == {"idTokenInfo": {"status": "Accepted"}}


def test_a_failing_backend_of_no_kind_known_is_logged(tidy):
    here, _ = gateway(fail(RuntimeError("x")))
    cp = here.connect(ocpp="2.0.1")
    assert cp.call("Authorize", TOKEN) == {"idTokenInfo": {"status": "Accepted"}}
    assert len(tidy) == 1
    tidy.clear()
