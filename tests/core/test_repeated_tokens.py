"""A TransactionEvent that is repeated is answered for the token that it carries, whatever was said of others meanwhile."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ocpp_tw.backend.static import StaticBackend
from ocpp_tw.core.transaction import TOKENS, Transaction
from ocpp_tw.facts import Authorization
from ocpp_tw.settings import Settings
from ocpp_tw.testing import ChargerClient, InMemoryGateway

VERSIONS = pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
VERDICTS = {"OK": "Accepted", "BLK": "Blocked", "OLD": "Expired"}


def event(kind: str, seq: int, tag: str | None = None, minute: int | None = None) -> dict[str, Any]:
    token = {} if tag is None else {"idToken": {"idToken": tag, "type": "ISO14443"}}
    return {
        "eventType": kind, "timestamp": f"2026-11-23T08:{seq if minute is None else minute:02d}:00Z", "triggerReason": "Trigger",
        "seqNo": seq, "transactionInfo": {"transactionId": "t1"}, **token,
    }  # fmt: skip


def gateway(before: InMemoryGateway | None = None, **settings: Any) -> tuple[InMemoryGateway, StaticBackend]:
    """A gateway whose backend knows the tags in `VERDICTS`; it continues with what the one ``before`` has stored."""
    backend = StaticBackend(dict.fromkeys(VERDICTS, 7), {tag: Authorization(status) for tag, status in VERDICTS.items()})
    configured = Settings(name="gw", base_url="http://b", authorize="backend", **settings)
    here = InMemoryGateway(configured, backend=backend) if before is None else InMemoryGateway(configured, before.store, backend=backend)
    return here, backend


def status(cp: ChargerClient, message: dict[str, Any]) -> str:
    """The status that the charger is given for the token of this message."""
    said: str = cp.call("TransactionEvent", message)["idTokenInfo"]["status"]
    return said


@VERSIONS
@pytest.mark.parametrize("restarted", [False, True])
def test_a_blocked_tag_stays_blocked_when_its_end_is_repeated(ocpp, restarted):
    here, backend = gateway()
    cp = here.connect(ocpp=ocpp)
    start, end = event("Started", 0, "OK"), event("Ended", 1, "BLK")
    assert (status(cp, start), status(cp, end)) == ("Accepted", "Blocked")
    cp.disconnect()
    if restarted:
        here, backend = gateway(here)
    asked = len(backend.asked)
    cp = here.connect(ocpp=ocpp)
    here.published()
    for _ in range(2):
        assert (status(cp, end), status(cp, start)) == ("Blocked", "Accepted")
    assert (here.published(), len(backend.asked)) == ([], asked)


@VERSIONS
def test_a_good_tag_is_not_blocked_for_another_one(ocpp):
    here, _ = gateway()
    cp = here.connect(ocpp=ocpp)
    messages = [event("Started", 0, "OK"), event("Updated", 1, "BLK"), event("Ended", 2, "OK")]
    said = ["Accepted", "Blocked", "Accepted"]
    assert [status(cp, each) for each in messages] == said
    cp.disconnect()
    cp = here.connect(ocpp=ocpp)
    here.published()
    assert [status(cp, each) for each in reversed(messages)] == said
    assert here.published() == []


@VERSIONS
def test_the_end_of_a_transaction_that_had_the_id_before_is_answered_for_its_own_tag(ocpp):
    here, _ = gateway()
    cp = here.connect(ocpp=ocpp)
    end = event("Ended", 1, "OK")
    assert [status(cp, each) for each in (event("Started", 0, "OK"), end)] == ["Accepted", "Accepted"]
    assert status(cp, event("Started", 0, "BLK", minute=30)) == "Blocked"
    cp.disconnect()
    cp = here.connect(ocpp=ocpp)
    here.published()
    assert (status(cp, end), here.published()) == ("Accepted", [])


@VERSIONS
def test_tokens_of_one_text_and_two_types_are_two(ocpp):
    here, backend = gateway()
    cp = here.connect(ocpp=ocpp)
    assert status(cp, event("Started", 0, "OK")) == "Accepted"
    backend.tags["OK"] = Authorization("Blocked")
    end = event("Ended", 1) | {"idToken": {"idToken": "OK", "type": "KeyCode"}}
    assert (status(cp, end), status(cp, event("Started", 0, "OK")), status(cp, end)) == ("Blocked", "Accepted", "Blocked")


def stored_by_an_earlier_release(here: InMemoryGateway) -> None:
    """Of the verdict on a token it did not store which token that was."""
    table = here.store.tables["transactions", "cp1"]
    for name, text in list(table.items()):
        known = msgspec.json.decode(text)
        known.pop("verdicts", None)
        table[name] = msgspec.json.encode(known)


@VERSIONS
@pytest.mark.parametrize(("policy", "alone"), [("provisional", "Accepted"), ("deny", "Invalid")])
def test_the_backend_is_asked_again_where_it_is_not_known_which_token_was_meant(ocpp, policy, alone):
    """As it was the first time: with the key of that start, and by the policy while the backend is unavailable."""
    here, backend = gateway()
    cp = here.connect(ocpp=ocpp)
    start, update, end = messages = [event("Started", 0, "OK"), event("Updated", 1, "BLK"), event("Ended", 2, "OLD")]
    said = [status(cp, each) for each in messages]
    key = next(each for each in backend.asked if each[0] == "transaction")
    cp.disconnect()
    here.published()
    stored_by_an_earlier_release(here)
    here, backend = gateway(here, backend_policy=policy)
    cp = here.connect(ocpp=ocpp)
    here.published()
    assert [status(cp, each) for each in (end, update, start)] == said[::-1]
    assert [each[:2] for each in backend.asked if each[0] == "authorize"] == [("authorize", tag) for tag in ("OLD", "BLK", "OK")]
    assert [each for each in backend.asked if each[0] == "transaction"] == [key]
    backend.fail()
    assert [status(cp, each) for each in messages] == [alone] * 3
    assert here.published() == [] and not here.store.tables.get(("provisional", "gw"))


@VERSIONS
def test_a_repeat_without_a_token_asks_nobody(ocpp):
    here, _ = gateway()
    cp = here.connect(ocpp=ocpp)
    messages = [event("Started", 0), event("Updated", 1, "BLK"), event("Ended", 2)]
    answers = [cp.call("TransactionEvent", each) for each in messages]
    here.published()
    here, backend = gateway(here)
    cp = here.connect(ocpp=ocpp)
    assert [cp.call("TransactionEvent", each) for each in messages] == answers == [{}, {"idTokenInfo": {"status": "Blocked"}}, {}]
    assert backend.asked == []


def test_of_a_transaction_the_verdicts_on_a_few_tokens_are_remembered():
    noted = Transaction("t1", 1, "TAG", 0, "2026-11-23T08:00:00Z", Authorization())
    for n in range(10 * TOKENS):
        noted.note_verdict(f"TAG{n}", "ISO14443", Authorization("Blocked"))
        noted.note_verdict("TAG", "ISO14443", Authorization())
    assert len(noted.verdicts) == TOKENS
    assert noted.verdict_on("TAG", "ISO14443") == Authorization() and noted.verdict_on("TAG0", "ISO14443") is None
    assert noted.successor().verdicts == noted.verdicts
