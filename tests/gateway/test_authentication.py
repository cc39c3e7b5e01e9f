"""Who is admitted: security profiles 0 to 3, right and wrong in each way, and what others learn of it."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from typing import Any

import pytest
from twisted.internet.defer import Deferred, TimeoutError, fail, succeed
from twisted.python.failure import Failure

from in_memory import START_1, stop
from ocpp_tw.core import new_passwords
from ocpp_tw.core.commands import PEER_MESSAGES
from ocpp_tw.core.passwords import generate
from ocpp_tw.core.wanted import Wanted
from ocpp_tw.gateway.attempts import FREE, MAX_WAIT
from ocpp_tw.gateway.charger import Charger
from ocpp_tw.interfaces import ClientCertificate, HandshakeRefused, HandshakeRequest, StoreUnavailable
from ocpp_tw.memory import MemoryEvents, MemoryKeys, MemoryWire
from ocpp_tw.settings import Settings
from ocpp_tw.testing import ChargerClient, InMemoryGateway
from ocpp_tw.waiting import deferred

PASSWORD = "correct horse battery"
KEY = "00112233445566778899aabbccddeeff01234567"
CERTIFICATE = ClientCertificate("cp1", "Operator", (), "ab" * 32, 2e9)


def basic(user: str | bytes = "cp1", password: str | bytes = PASSWORD) -> str:
    both = [each.encode() if isinstance(each, str) else each for each in (user, password)]
    return "Basic " + b64encode(b":".join(both)).decode()


class Fleet:
    """A gateway, and what its operator does."""

    def __init__(self, beside: Fleet | None = None, **settings: Any) -> None:
        """``beside``: of the same fleet."""
        self.keys = MemoryKeys() if beside is None else beside.keys
        if beside is None:
            self.here = InMemoryGateway(Settings(name="gw", **settings), keys=self.keys)
        else:
            self.here = InMemoryGateway(Settings(name="other", **settings), beside.here.store, beside.here.clock, keys=self.keys)

    def decide(self, id: str = "cp1", **changes: Any) -> None:
        if changes.get("password"):
            changes["password"] = self.here.gateway.passwords.stored(changes["password"].encode())
        asyncio.run(self._finish(self.here.gateway.decisions.decide(id, {"registered": "yes", **changes})))

    def unregister(self, id: str = "cp1") -> None:
        asyncio.run(self._finish(self.here.gateway.decisions.unregister(id)))

    async def _finish(self, coroutine: Any) -> None:
        from ocpp_tw.waiting import deferred

        done: list[Any] = []
        deferred(coroutine).addBoth(done.append)
        assert done and not isinstance(done[0], Exception), done

    def knock(self, id: str = "cp1", authorization: str | None = None, address: str = "10.0.0.1", **more: Any) -> ChargerClient:
        headers = {} if authorization is None else {"authorization": authorization}
        wire = MemoryWire()
        request = HandshakeRequest(id, "csms.example.com", address, more.pop("offered", ("ocpp1.6",)), headers, **more)
        charger = self.admitted(request, wire)
        self.here.gateway.arrived(charger)
        return ChargerClient(self.here, charger, wire)

    def admitted(self, request: HandshakeRequest, wire: MemoryWire) -> Charger:
        """A charger whose handshake has just been answered."""
        done: list[Any] = []

        async def admit() -> Any:
            found = self.here.gateway.admit(request, wire)
            return found if isinstance(found, tuple) else await found

        Deferred.fromCoroutine(admit()).addBoth(done.append)
        if isinstance(done[0], Failure):
            done[0].raiseException()
        charger: Charger = done[0][0]
        return charger

    def read_peer_messages(self) -> None:
        """What the other gateways of the fleet have told this one."""
        own = self.here.store.own.pop(self.here.settings.name, ())
        for element in own:
            assert element.startswith(PEER_MESSAGES) and self.here.gateway.peer_message(json.loads(element))

    def refused(self, *args: Any, **more: Any) -> int:
        with pytest.raises(HandshakeRefused) as why:
            self.knock(*args, **more)
        self.refusal = why.value
        return why.value.status

    def profile(self, *args: Any, **more: Any) -> int:
        client = self.knock(*args, **more)
        profile = client.charger.security_profile
        client.disconnect()
        return profile

    def told(self, name: str) -> list[dict[str, Any]]:
        return [event["data"] for event in self.here.published() if event["event"] == name]


# profile 0


def test_by_default_everybody_comes_in_whatever_they_show():
    fleet = Fleet()
    for authorization in (None, basic(), "Basic nonsense", "Bearer x"):
        assert fleet.profile(authorization=authorization) == 0
    assert fleet.profile("another", tls=True) == 0


def test_the_first_charger_with_a_password_keeps_out_whoever_has_none():
    """Advisories: unauthenticated access (CWE-306)."""
    fleet = Fleet()
    fleet.decide(password=PASSWORD)
    assert fleet.refused() == 401 and ("WWW-Authenticate", 'Basic realm="ocpp", charset="UTF-8"') in fleet.refusal.headers
    assert fleet.profile(authorization=basic()) == 1
    assert fleet.profile("cp2") == 0


# profiles 1 and 2


@pytest.mark.parametrize(
    "wrong",
    [
        None, "", "Basic", "Basic !", "Basic " + b64encode(b"cp1").decode(), "Bearer " + PASSWORD, basic(password=""),
        basic(password=PASSWORD + " "), basic(password=PASSWORD[:-1]), basic("cp2"), basic("CP1"), basic(""), basic(b"cp1\xff"),
    ],
)  # fmt: skip
def test_wrong_credentials_are_refused(wrong):
    fleet = Fleet(security_profile="1")
    fleet.decide(password=PASSWORD)
    assert fleet.refused(authorization=wrong) == 401
    assert PASSWORD not in fleet.refusal.reason and fleet.refusal.reason == "Unauthorized"


@pytest.mark.parametrize(("id", "password"), [("cp1", PASSWORD), ("a:b", PASSWORD), ("a:b", "1:2:" + PASSWORD), ("é|1", "ü" * 10)])
def test_the_right_password_comes_in(id, password):
    """A00.FR.203: bytes, and an identity that has the character that divides them."""
    fleet = Fleet(security_profile="1")
    fleet.decide(id, password=password)
    assert fleet.profile(id, basic(id, password)) == 1
    assert fleet.profile(id, basic(id, password), tls=True) == 2


@pytest.mark.parametrize("shown", [KEY, KEY.upper(), bytes.fromhex(KEY)])
def test_a_key_is_sent_as_digits_or_as_bytes(shown):
    fleet = Fleet(security_profile="1")
    fleet.decide(password=KEY)
    assert fleet.profile(authorization=basic(password=shown)) == 1


def test_an_unknown_charger_is_told_the_same_as_one_with_a_wrong_password():
    fleet = Fleet(security_profile="1")
    fleet.decide(password=PASSWORD)
    known = (fleet.refused(authorization=basic(password="wrong")), fleet.refusal.reason, fleet.refusal.headers)
    assert (fleet.refused("cp9", basic("cp9", "wrong")), fleet.refusal.reason, fleet.refusal.headers) == known


def test_over_plain_the_right_password_is_not_enough_for_profile_2():
    fleet = Fleet(security_profile="2")
    fleet.decide(password=PASSWORD)
    assert fleet.refused(authorization=basic()) == 403
    assert fleet.profile(authorization=basic(), tls=True) == 2


def test_a_password_that_no_key_can_read_is_not_taken_for_a_wrong_one():
    fleet, other = Fleet(security_profile="1"), Fleet()
    fleet.decide(password=PASSWORD)
    other.here.store.tables = fleet.here.store.tables
    assert other.refused(authorization=basic()) == 503
    assert "--credentials-key" in other.told("authentication_failed")[0]["reason"]


# profile 3


def test_a_certificate_of_its_own_comes_in():
    fleet = Fleet(security_profile="3")
    assert fleet.profile(tls=True, certificate=CERTIFICATE) == 3
    alternative = ClientCertificate("serial 7", "", ("cp1", "other"), "cd" * 32, 2e9)
    assert fleet.profile(tls=True, certificate=alternative) == 3


@pytest.mark.parametrize(
    ("settings", "certificate", "why"),
    [
        ({}, ClientCertificate("cp2", "Operator", (), "ab" * 32, 2e9), "another charger's"),
        ({}, ClientCertificate("CP1", "Operator", ("Cp1",), "ab" * 32, 2e9), "another charger's"),  # in 1.6 these are two chargers
        ({}, ClientCertificate("cp1", "Operator", (), "ab" * 32, 2e9, "expired"), "expired"),
        ({"client_organization": "Operator"}, ClientCertificate("cp1", "Other", (), "ab" * 32, 2e9), "organization"),
    ],
)
def test_a_certificate_that_is_not_its_own_is_refused_and_told(settings, certificate, why):
    """Advisories: replay of a certificate; A00.FR.404, 405, 407."""
    fleet = Fleet(security_profile="3", **settings)
    fleet.decide(password=PASSWORD)
    assert fleet.refused(authorization=basic(), tls=True, certificate=certificate) == 403
    (data,) = fleet.told("authentication_failed")
    assert why in data["reason"] and data["remote_address"] == "10.0.0.1"


def test_without_a_certificate_no_password_is_enough_for_profile_3():
    fleet = Fleet(security_profile="3")
    fleet.decide(password=PASSWORD)
    assert fleet.refused(authorization=basic(), tls=True) == 403
    assert fleet.refused(tls=True) == 401


def test_a_pinned_certificate_is_the_only_one():
    fleet = Fleet()
    fleet.decide(certificate="ab" * 32)
    assert fleet.profile(tls=True, certificate=CERTIFICATE) == 3
    assert fleet.profile(tls=True, certificate=ClientCertificate("serial 7", "", (), "ab" * 32, 2e9)) == 3
    assert fleet.refused(tls=True, certificate=ClientCertificate("cp1", "Operator", (), "cd" * 32, 2e9)) == 403
    assert fleet.refused() == 401


def test_a_makers_certificate_does_not_keep_out_a_charger_with_a_password():
    fleet = Fleet(security_profile="2")
    fleet.decide(password=PASSWORD)
    makers = ClientCertificate("serial 7", "Maker", (), "cd" * 32, 2e9, "no authority that is trusted has signed it")
    assert fleet.profile(authorization=basic(), tls=True, certificate=makers) == 2


def test_a_certificate_that_is_wrong_is_named_where_nothing_else_was_shown():
    fleet = Fleet()
    fleet.decide(password=PASSWORD)
    assert fleet.refused(tls=True, certificate=CERTIFICATE.__class__("cp1", "", (), "ab" * 32, 2e9, "it has expired")) == 401
    (data,) = fleet.told("authentication_failed")
    assert data["reason"] == "no credentials but a certificate: it has expired"


def test_a_password_that_waits_under_an_unknown_key_keeps_out_nobody_with_the_right_one():
    fleet, other = Fleet(), Fleet()
    fleet.decide(password=PASSWORD)
    fleet.decide(new_password=other.here.gateway.passwords.stored(KEY.encode()))
    assert fleet.profile(authorization=basic()) == 1
    assert fleet.refused(authorization=basic(password=KEY)) == 503


def test_an_organization_that_is_right_comes_in():
    fleet = Fleet(security_profile="3", client_organization="Operator")
    assert fleet.profile(tls=True, certificate=CERTIFICATE) == 3


# never lower


def test_a_charger_that_has_come_in_with_a_profile_never_comes_in_with_a_lower_one():
    """Advisories: downgrade; A05."""
    fleet = Fleet()
    fleet.decide(password=PASSWORD)
    assert fleet.profile(authorization=basic()) == 1
    assert fleet.profile(authorization=basic(), tls=True) == 2
    assert fleet.refused(authorization=basic()) == 403
    assert fleet.profile(tls=True, certificate=CERTIFICATE) == 3
    assert fleet.refused(authorization=basic(), tls=True) == 403
    assert "security profile 1" in fleet.told("authentication_failed")[0]["reason"]


def test_unless_an_operator_says_so():
    fleet = Fleet()
    fleet.decide(password=PASSWORD)
    fleet.profile(authorization=basic(), tls=True)
    fleet.decide(security_profile=1)
    assert fleet.profile(authorization=basic()) == 1


# who is registered


def test_who_is_not_registered_may_be_refused():
    fleet = Fleet(unknown_chargers="refuse")
    assert fleet.refused() == 404
    fleet.decide()
    assert fleet.profile() == 0
    fleet.unregister()
    assert fleet.refused() == 404


def test_who_is_not_registered_may_have_to_wait():
    fleet = Fleet(unknown_chargers="pending")
    client = fleet.knock()
    boot = {"chargePointVendor": "V", "chargePointModel": "M"}
    assert client.call("BootNotification", boot)["status"] == "Pending"
    fleet.decide()
    (trigger,) = client.frames()
    assert trigger[2:] == ["TriggerMessage", {"requestedMessage": "BootNotification"}]
    client.answer({"status": "Accepted"})
    assert client.call("BootNotification", boot)["status"] == "Accepted"
    fleet.unregister()
    assert client.wire.closed[0] == 1008


def test_who_has_to_wait_is_served_nothing_else_whether_or_not_it_boots():
    fleet = Fleet(unknown_chargers="pending")
    client = fleet.knock()
    start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2026-11-23T08:00:00Z"}
    assert client.call_error("StartTransaction", start) == "SecurityError"
    assert client.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})["status"] == "Pending"
    fleet.decide("cp2")
    assert fleet.knock("cp2").call("StartTransaction", start)["idTagInfo"]["status"] == "Accepted"


def test_a_charger_that_authenticates_is_not_kept_out_by_another_spelling_that_has_not():
    fleet = Fleet()
    stranger = fleet.knock("cp1", offered=("ocpp2.0.1",))
    fleet.decide("CP1", password=PASSWORD)
    client = fleet.knock("CP1", basic("CP1"), offered=("ocpp2.0.1",))
    assert client.charger.security_profile == 1 and stranger.wire.closed[0] == 1008 and client.wire.closed is None


# connections that no longer satisfy what is decided


@pytest.mark.parametrize("changes", [{"password": PASSWORD}, {"security_profile": 1}, {"certificate": "ab" * 32}])
def test_a_connection_without_credentials_is_closed_when_they_are_needed(changes):
    fleet = Fleet()
    client = fleet.knock()
    fleet.decide(**changes)
    assert client.wire.closed[0] == 1008 and "security profile" in client.wire.closed[1]


def test_a_connection_with_a_former_password_is_closed():
    fleet = Fleet()
    fleet.decide(password=PASSWORD)
    client = fleet.knock(authorization=basic())
    fleet.decide(retry_interval=60)
    assert client.wire.closed is None
    fleet.decide(password="another battery staple")
    assert client.wire.closed[0] == 1008


def test_a_connection_with_the_password_that_is_set_stays_and_no_other_is_good_beside_it():
    fleet = Fleet()
    fleet.decide(password=PASSWORD)
    client = fleet.knock(authorization=basic())
    before = fleet.here.register.find("cp1").password
    stored = fleet.here.gateway.passwords.stored(PASSWORD.encode())
    decided = fleet.here.gateway.decisions.decide(
        "cp1", {"password": stored, "new_password": None, "registered": "yes"}, {"password": before}
    )
    asyncio.run(fleet._finish(decided))
    assert client.wire.closed is None and before != stored == fleet.here.register.find("cp1").password
    client.disconnect()
    assert fleet.profile(authorization=basic()) == 1


def test_a_connection_with_the_certificate_that_is_set_stays():
    fleet = Fleet()
    client = fleet.knock(tls=True, certificate=CERTIFICATE)
    fleet.decide(certificate=CERTIFICATE.fingerprint)
    fleet.decide(certificate=CERTIFICATE.fingerprint, security_profile=3)
    assert client.wire.closed is None
    fleet.decide(certificate="cd" * 32)
    assert client.wire.closed == (1008, "its certificate has been changed")


def test_while_the_store_takes_nothing_nothing_is_decided():
    fleet = Fleet()
    fleet.decide(password=PASSWORD)
    fleet.here.events.paused = True
    with pytest.raises(StoreUnavailable):
        asyncio.run(fleet.here.gateway.decisions.decide("cp1", {"password": "other"}))
    fleet.here.events.resume()
    assert fleet.profile(authorization=basic()) == 1


def test_a_decision_that_waits_in_a_spool_undoes_none_that_was_made_after_it(monkeypatch):
    here = Fleet()
    cut = Fleet(beside=here)
    here.decide(password=PASSWORD)
    stored = cut.here.gateway.passwords.stored(b"discarded discarded")
    cut.here.events.paused = True
    monkeypatch.setattr(MemoryEvents, "away", False)  # the store went away that moment
    waiting = deferred(cut.here.gateway.decisions.decide("cp1", {"registered": "yes", "password": stored}))
    failed: list[Any] = []
    waiting.addErrback(failed.append)
    cut.here.clock.advance(60)
    assert failed and failed[0].check(StoreUnavailable, TimeoutError)  # who asked for it is not told that it is in force
    here.decide(password="right right right right")
    cut.here.events.resume()
    assert here.refused(authorization=basic(password="discarded discarded")) == 401
    assert here.profile(authorization=basic(password="right right right right")) == 1


def test_a_decision_between_handshake_and_arrival_is_not_missed():
    fleet = Fleet()
    wire = MemoryWire()
    charger, _ = fleet.here.gateway.admit(HandshakeRequest("cp1", "h", "p", ("ocpp1.6",)), wire)
    fleet.decide(password=PASSWORD)
    fleet.here.gateway.arrived(charger)
    assert wire.closed[0] == 1008


# failures of the store


def test_nobody_is_let_in_by_a_failure():
    fleet = Fleet()
    fleet.decide(password=PASSWORD)
    fleet.here.register.available = False
    assert fleet.refused() == 503 and ("Retry-After", "10") in fleet.refusal.headers


# attempts


def test_whoever_fails_again_and_again_is_told_to_wait_longer_each_time():
    """Advisories: no limit on attempts (CWE-307)."""
    fleet = Fleet(security_profile="1")
    fleet.decide(password=PASSWORD)
    for _ in range(FREE + 1):
        assert fleet.refused(authorization=basic(password="wrong")) == 401
    waits = []
    for _ in range(10):
        assert fleet.refused(authorization=basic(password="wrong")) == 429
        waits.append(int(dict(fleet.refusal.headers)["Retry-After"]))
        fleet.here.clock.advance(waits[-1])
        assert fleet.refused(authorization=basic(password="wrong")) == 401
    assert waits == sorted(waits) and waits[0] == 2 and waits[-1] == MAX_WAIT


def test_the_right_password_comes_in_whatever_others_do_in_its_name():
    """From the same address too, as behind a proxy."""
    fleet = Fleet(security_profile="1")
    fleet.decide(password=PASSWORD)
    for _ in range(200):
        fleet.refused(authorization=basic(password=generate()))
    assert fleet.profile(authorization=basic()) == 1


def test_names_that_are_made_up_are_limited_by_address():
    fleet = Fleet(security_profile="1")
    statuses = [fleet.refused(f"x{n}", basic(f"x{n}", "wrong"), address="10.9.9.9") for n in range(FREE + 3)]
    assert statuses[0] == 401 and statuses[-1] == 429
    assert fleet.refused("y", basic("y", "wrong"), address="10.8.8.8") == 401


def test_failures_are_told_once_a_minute_with_their_number():
    fleet = Fleet(security_profile="1")
    fleet.decide(password=PASSWORD)
    for _ in range(50):
        fleet.refused(authorization=basic(password="wrong"))
    assert [data["count"] for data in fleet.told("authentication_failed")] == [1]
    fleet.here.clock.advance(61)
    fleet.refused(authorization=basic(password="wrong"))
    (data,) = fleet.told("authentication_failed")
    assert data["count"] == 50 and data["reason"] == "wrong password" and PASSWORD not in str(data)


def test_of_all_gateways_one_tells_of_an_identity_in_a_minute():
    """And what was tried at the others their own next event counts."""
    fleet = Fleet(security_profile="1")
    other = Fleet(beside=fleet, security_profile="1")
    fleet.here.published()
    for _ in range(3):
        for each in (fleet, other):
            each.refused(authorization=basic(password="wrong"))
    other.refused("cp2")
    assert [(each["charger"], each["count"]) for each in fleet.told("authentication_failed")] == [("cp1", 1), ("cp2", 1)]
    fleet.here.clock.advance(61)
    other.refused(authorization=basic(password="wrong"))
    fleet.refused(authorization=basic(password="wrong"))
    (data,) = fleet.told("authentication_failed")
    assert (data["count"], data["left_out"]) == (4, 0)
    fleet.here.clock.advance(61)
    fleet.refused(authorization=basic(password="wrong"))
    assert [each["count"] for each in fleet.told("authentication_failed")] == [4]


def test_who_fails_without_end_is_told_of_every_minute():
    fleet = Fleet(security_profile="1")
    told = 0
    for _ in range(1200):
        fleet.refused(authorization=basic(password="wrong"))
        told += len(fleet.told("authentication_failed"))
        fleet.here.clock.advance(0.5)
    assert told == 10


def test_without_the_store_each_gateway_tells_for_itself():
    fleet = Fleet(security_profile="1")
    other = Fleet(beside=fleet, security_profile="1")
    for each in (fleet, other):
        each.here.register.available = False
        each.refused(authorization=basic(password="wrong"))
        each.refused(authorization=basic(password="wrong"))
    assert [each["count"] for each in fleet.told("authentication_failed")] == [1, 1]


# rotation: both are good until the new one has been seen


def test_both_passwords_are_good_until_the_new_one_has_been_seen():
    fleet = Fleet()
    fleet.decide(password=PASSWORD)
    fleet.decide(new_password=fleet.here.gateway.passwords.stored(KEY.encode()))
    assert fleet.profile(authorization=basic()) == 1
    assert fleet.profile(authorization=basic(password=KEY)) == 1
    assert fleet.refused(authorization=basic()) == 401
    assert fleet.profile(authorization=basic(password=KEY)) == 1


# what others can do


class CutOff:
    """A charger with a password that was sent another one, at a gateway that can store nothing at the moment; and a gateway that can."""

    def __init__(self, **settings: Any) -> None:
        self.fleet = Fleet()
        self.fleet.decide(password=PASSWORD, **settings)
        assert self.fleet.profile(authorization=basic()) == 1
        self.wait(NEW)
        self.cut = Fleet(beside=self.fleet)
        self.cut.here.events.paused = True
        self.come = self.cut.profile

    def wait(self, password: str) -> None:
        table = self.fleet.here.store.tables["record", "cp1"]
        table["new_password"] = self.fleet.here.gateway.passwords.stored(password.encode()).encode()

    def back(self) -> dict[str, int]:
        """It can again: who comes in with which password then, 0: nobody."""
        self.cut.here.events.resume()
        return {each: 1 if self.is_good(each) else 0 for each in (PASSWORD, NEW, LATER)}

    def is_good(self, password: str) -> bool:
        record = self.fleet.here.register.find("cp1")
        match = self.fleet.here.gateway.passwords.match
        return any(match(each, password.encode()) for each in (record.password, *new_passwords.forms(record.new_password)))


NEW, LATER = "a new password of it", "a later password of it"


def test_what_a_gateway_that_was_cut_off_has_learnt_is_stored_if_nothing_has_changed():
    cut_off = CutOff()
    assert cut_off.come(authorization=basic(password=NEW)) == 1
    assert cut_off.back() == {PASSWORD: 0, NEW: 1, LATER: 0}


def test_a_gateway_that_was_cut_off_does_not_undo_a_later_password():
    cut_off = CutOff()
    assert cut_off.come(authorization=basic(password=NEW)) == 1
    assert cut_off.fleet.profile(authorization=basic(password=NEW)) == 1
    cut_off.wait(LATER)
    assert cut_off.fleet.profile(authorization=basic(password=LATER)) == 1
    assert cut_off.back() == {PASSWORD: 0, NEW: 0, LATER: 1}


def test_a_gateway_that_was_cut_off_does_not_undo_what_an_operator_has_decided():
    cut_off = CutOff()
    assert cut_off.come(authorization=basic(password=NEW)) == 1
    cut_off.fleet.decide(password=LATER)
    assert cut_off.back() == {PASSWORD: 0, NEW: 0, LATER: 1}
    cut_off = CutOff()
    assert cut_off.come(authorization=basic(password=NEW)) == 1
    cut_off.fleet.unregister()
    assert cut_off.back() == {PASSWORD: 0, NEW: 0, LATER: 0}
    assert not cut_off.fleet.here.store.tables["spellings", "cp1"] and cut_off.fleet.here.register.find("cp1").least_profile == 0


def test_a_gateway_that_was_cut_off_does_not_lower_the_security_profile_that_was_reached():
    cut_off = CutOff()
    cut_off.fleet.decide(security_profile="1")
    assert cut_off.come(authorization=basic()) == 1
    assert cut_off.fleet.profile(authorization=basic(), tls=True) == 2
    cut_off.back()
    assert cut_off.fleet.refused(authorization=basic()) == 403
    cut_off = CutOff()
    assert cut_off.come(authorization=basic(), tls=True) == 2
    cut_off.fleet.decide(security_profile="1")
    assert cut_off.fleet.profile(authorization=basic()) == 1
    cut_off.back()
    assert cut_off.fleet.profile(authorization=basic()) == 1


def test_a_gateway_that_was_cut_off_does_not_end_a_later_upgrade():
    cut_off = CutOff()
    table = cut_off.fleet.here.store.tables["record", "cp1"]
    table["wanted_profile"] = str(Wanted(2, since=1)).encode()
    assert cut_off.come(authorization=basic(), tls=True) == 2
    later = table["wanted_profile"] = str(Wanted(3, since=2)).encode()
    cut_off.back()
    assert table["wanted_profile"] == later


def test_a_certificate_that_is_set_again_does_not_end_the_one_that_the_charger_was_sent():
    fleet = Fleet()
    fleet.decide(certificate=CERTIFICATE.fingerprint, security_profile="3")
    fleet.here.store.tables["record", "cp1"]["issued"] = b"ef" * 32
    changes = {"certificate": CERTIFICATE.fingerprint, "security_profile": "3", "registered": "yes"}
    asyncio.run(fleet._finish(fleet.here.gateway.decisions.decide("cp1", changes, {"certificate": CERTIFICATE.fingerprint})))
    assert fleet.here.register.find("cp1").issued == "ef" * 32
    asyncio.run(fleet._finish(fleet.here.gateway.decisions.decide("cp1", {"certificate": "cd" * 32})))
    assert fleet.here.register.find("cp1").issued == ""


def test_a_security_profile_that_is_repeated_leaves_the_one_that_was_reached():
    fleet = Fleet()
    fleet.decide(password=PASSWORD, security_profile="1")
    assert fleet.profile(authorization=basic(), tls=True) == 2
    decided = fleet.here.gateway.decisions.decide("cp1", {"security_profile": 1, "registered": "yes"}, {"security_profile": "1"})
    asyncio.run(fleet._finish(decided))
    assert fleet.refused(authorization=basic()) == 403
    fleet.decide(security_profile="1")
    assert fleet.profile(authorization=basic()) == 1


def test_a_second_connection_takes_nothing_over_without_the_password():
    """Advisories: take-over by a second connection (CWE-613)."""
    fleet = Fleet()
    fleet.decide(password=PASSWORD)
    client = fleet.knock(authorization=basic())
    for authorization in (None, basic(password="wrong"), basic("cp2")):
        assert fleet.refused(authorization=authorization) in (401, 429)
    assert client.wire.closed is None and client.call("Heartbeat")
    assert fleet.here.gateway.chargers["cp1"] is client.charger


def test_neither_stops_nor_meter_values_concern_another_chargers_transaction():
    """Advisories: foreign stop and foreign meter values (CWE-284)."""
    fleet = Fleet()
    mine, other = fleet.knock("cp1"), fleet.knock("cp2")
    id = mine.call("StartTransaction", START_1)["transactionId"]
    fleet.here.published()
    other.call(
        "MeterValues",
        {
            "connectorId": 1,
            "transactionId": id,
            "meterValue": [{"timestamp": START_1["timestamp"], "sampledValue": [{"value": "9000000"}]}],
        },
    )
    other.call("StopTransaction", stop(id, 9_000_000))
    told = [event["data"] for event in fleet.here.published()]
    assert [(each["charger"], each.get("match")) for each in told] == [("cp2", None), ("cp2", "none")]
    mine.call("StopTransaction", stop(id, 4000))
    (ended,) = fleet.told("stop_transaction")
    assert (ended["charger"], ended["match"], ended["energy_wh"]) == ("cp1", "exact", 3000)


# an identity of 2.x is the same in any letter case


def came(fleet: Fleet, id: str, offered: tuple[str, ...] = ("ocpp2.0.1",), headers: dict[str, str] | None = None) -> int:
    """The security profile, or the status that it is refused with."""
    said: list[Any] = []
    try:
        admitted = fleet.here.gateway.admit(HandshakeRequest(id, "h", "10.0.0.1", offered, headers or {}), MemoryWire())
    except HandshakeRefused as why:
        return why.status
    if isinstance(admitted, tuple):
        return admitted[0].security_profile
    deferred(admitted).addCallbacks(lambda one: one[0].security_profile, lambda failure: failure.value.status).addCallback(said.append)
    return said[0]


@pytest.mark.parametrize("id", ["cp1", "Cp1", "cP1"])
def test_who_is_registered_does_not_come_in_as_another_spelling_of_which_nothing_is_known(id):
    fleet = Fleet()
    fleet.decide("CP1", password=PASSWORD)
    assert came(fleet, id) == came(fleet, id, ("ocpp1.6", "ocpp2.1")) == came(fleet, id, ("OCPP2.1",)) == 401 and came(fleet, "CP2") == 0
    assert came(fleet, id, headers={"authorization": basic(id)}) == 401
    assert came(fleet, "CP1", headers={"authorization": basic("CP1")}) == 1
    (told, *_) = fleet.told("authentication_failed")
    assert told["reason"] == "it is registered as CP1" and told["charger"] == id
    assert came(fleet, id, ("ocpp1.6",)) == 0  # in 1.6 these are two chargers


def test_two_spellings_that_are_both_registered_come_in_each_with_its_own_password():
    fleet = Fleet()
    fleet.decide("CP1", password=PASSWORD)
    fleet.decide("cp1", password=KEY)
    assert came(fleet, "cp1", headers={"authorization": basic("cp1", KEY)}) == 1
    assert came(fleet, "cp1", headers={"authorization": basic("cp1")}) == 401
    fleet.unregister("cp1")
    assert came(fleet, "cp1") == 401
    fleet.unregister("CP1")
    assert came(fleet, "cp1") == 0


def test_a_spelling_that_cannot_be_looked_up_does_not_come_in_unless_it_was_here_before():
    fleet = Fleet()
    fleet.decide("CP1", password=PASSWORD)
    fleet.here.store.tables["record", "cp2"] = {"vendor": b"V"}
    fleet.here.records.table = lambda *_, remembered=False: succeed({}) if remembered else fail(StoreUnavailable("away"))  # type: ignore[method-assign]
    assert came(fleet, "cp1") == 503 and came(fleet, "cp2") == 0
    (told,) = fleet.told("authentication_failed")
    assert told["reason"] == "the store does not answer"


def test_who_is_connected_under_another_spelling_is_closed_once_one_is_registered():
    fleet = Fleet()
    stranger, other, old = fleet.knock("cp1", offered=("ocpp2.0.1",)), fleet.knock("cp2", offered=("ocpp2.0.1",)), fleet.knock("Cp1")
    fleet.decide("CP1", password=PASSWORD)
    assert stranger.wire.closed == (1008, "its identity is registered in another spelling")
    assert other.wire.closed is None and old.wire.closed is None  # in 1.6 these are two chargers


def test_who_is_connected_under_another_spelling_is_closed_at_every_gateway():
    fleet = Fleet()
    elsewhere = Fleet(fleet)
    stranger = elsewhere.knock("cp1", offered=("ocpp2.1",))
    fleet.decide("CP1", password=PASSWORD)
    assert stranger.wire.closed is None
    elsewhere.read_peer_messages()
    assert stranger.wire.closed[0] == 1008
    assert came(elsewhere, "cp1") == 401


def test_a_gateway_that_is_told_of_a_decision_knows_at_once_that_somebody_is_judged(monkeypatch):
    """It asks the store for that once a second."""
    fleet = Fleet()
    elsewhere = Fleet(fleet)
    monkeypatch.setattr(type(fleet.here.register), "guarded", False)
    fleet.decide("CP1", password=PASSWORD)
    assert came(elsewhere, "cp1") == came(elsewhere, "CP1") == 0
    elsewhere.read_peer_messages()
    assert came(elsewhere, "cp1") == came(elsewhere, "CP1") == 401


def test_a_spelling_that_is_registered_itself_stays_when_another_is_and_goes_when_it_is_none_any_more():
    fleet = Fleet()
    fleet.decide("cp1")
    client = fleet.knock("cp1", offered=("ocpp2.0.1",))
    fleet.decide("CP1", password=PASSWORD)
    assert client.wire.closed is None
    fleet.unregister("cp1")
    assert client.wire.closed[0] == 1008


def test_one_who_has_shown_a_certificate_is_known_in_that_spelling_only():
    fleet = Fleet()
    assert fleet.profile("cp1", tls=True, certificate=CERTIFICATE, offered=("ocpp2.0.1",)) == 3
    assert came(fleet, "CP1") == 401
    assert fleet.profile("cp1", tls=True, certificate=CERTIFICATE, offered=("ocpp2.0.1",)) == 3


def test_who_comes_in_while_another_spelling_is_registered_does_not_stay():
    """Decided after the gate has looked."""
    fleet = Fleet()
    fleet.decide("cp2", password=PASSWORD)
    wire = MemoryWire()
    charger = fleet.admitted(HandshakeRequest("cp1", "h", "10.0.0.1", ("ocpp2.0.1",)), wire)
    fleet.decide("CP1", password=PASSWORD)
    fleet.here.gateway.arrived(charger)
    assert wire.closed[0] == 1008


def test_who_was_refused_for_its_spelling_is_without_the_store_too():
    fleet = Fleet()
    fleet.here.store.tables["record", "cp1"] = {"vendor": b"V"}
    fleet.decide("CP1", password=PASSWORD)
    table = fleet.here.records.table

    def away(name: str, owner: str, remembered: bool = False) -> Any:
        return table(name, owner) if remembered else fail(StoreUnavailable("away"))

    fleet.here.records.table = away  # type: ignore[method-assign]
    assert came(fleet, "cp1") == 401


def test_who_came_in_without_the_store_is_closed_once_it_says_that_another_spelling_is_registered():
    fleet = Fleet()
    fleet.decide("cp2", password=PASSWORD)
    back: Deferred[None] = Deferred()
    roster, table = fleet.here.roster, fleet.here.records.table
    roster.arrive = lambda *_: fail(StoreUnavailable("away"))  # type: ignore[method-assign]
    wire = MemoryWire()
    charger = fleet.admitted(HandshakeRequest("cp1", "h", "10.0.0.1", ("ocpp2.0.1",)), wire)

    def late(name: str, owner: str) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        back.addCallback(lambda _: table(name, owner).chainDeferred(answer))
        return answer

    fleet.here.records.table = late  # type: ignore[method-assign]
    fleet.here.gateway.arrived(charger)
    assert charger.serving and wire.closed is None
    fleet.here.store.tables["spellings", "cp1"] = {"CP1": b"yes"}
    back.callback(None)
    assert wire.closed[0] == 1008


def test_no_spelling_is_looked_up_as_long_as_nobody_is_known_to_have_credentials(monkeypatch):
    """A gateway that was started while Redis is away does not know yet, and must keep nobody out who was never asked for anything."""
    fleet = Fleet()
    monkeypatch.setattr(type(fleet.here.register), "guarded", None)
    fleet.here.records.table = lambda *_: fail(StoreUnavailable("away"))  # type: ignore[method-assign]
    assert came(fleet, "cp1") == 0
