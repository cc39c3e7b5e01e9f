"""The backend says which chargers there are, and is remembered when it is down; nobody comes in because it failed."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from ocpp_tw.backend.static import StaticBackend
from ocpp_tw.core.entries import Record
from ocpp_tw.core.stamps import Stamps
from ocpp_tw.facts import Admission
from ocpp_tw.gateway.backend_register import MAX_WAIT, BackendRegister
from ocpp_tw.gateway.breaker import COOL_DOWN
from ocpp_tw.gateway.publisher import Publisher
from ocpp_tw.interfaces import HandshakeRefused, HandshakeRequest, StoreUnavailable
from ocpp_tw.memory import MemoryEvents, MemoryStore, MemoryWire
from ocpp_tw.settings import Settings
from ocpp_tw.testing import ChargerClient, InMemoryGateway
from ocpp_tw.waiting import deferred

PASSWORD = "correct horse battery"
BASIC = {"authorization": "Basic " + b64encode(f"cp1:{PASSWORD}".encode()).decode()}
BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}


class Fleet:
    """A gateway whose register is the backend."""

    def __init__(self, limit: int = 64, **settings: Any) -> None:
        self.backend = StaticBackend()
        self.here = InMemoryGateway(
            Settings(name="gw", base_url="http://b", register="backend", backend_limit=limit, **settings), backend=self.backend
        )

    def knock(self, id: str = "cp1", headers: dict[str, str] | None = None, **more: Any) -> list[Any]:
        """What becomes of it: the client, a failure, or nothing yet."""
        wire, came = MemoryWire(), []
        request = HandshakeRequest(id, "csms.example.com", "10.0.0.1", ("ocpp1.6",), headers or {}, **more)

        def arrived(admitted: Any) -> ChargerClient:
            self.here.gateway.arrived(admitted[0])
            return ChargerClient(self.here, admitted[0], wire)

        try:
            admitted = self.here.gateway.admit(request, wire)
        except HandshakeRefused as why:
            return [why]
        if isinstance(admitted, tuple):
            return [arrived(admitted)]
        deferred(admitted).addCallback(arrived).addErrback(lambda failure: failure.value).addCallback(came.append)
        return came

    def comes_in(self, *args: Any, **more: Any) -> ChargerClient:
        (client,) = self.knock(*args, **more)
        assert isinstance(client, ChargerClient), client
        return client

    def refused(self, *args: Any, **more: Any) -> int:
        (self.why,) = self.knock(*args, **more)
        assert isinstance(self.why, HandshakeRefused), self.why
        return self.why.status

    def decide(self, id: str = "cp1", **changes: Any) -> None:
        if changes.get("password"):
            changes["password"] = self.here.gateway.passwords.stored(changes["password"].encode())
        deferred(self.here.gateway.decisions.decide(id, {"registered": "yes", **changes}))

    def asked(self) -> int:
        return sum(each[0] == "admission" for each in self.backend.asked)


def test_the_backend_accepts_refuses_and_does_not_know():
    fleet = Fleet()
    fleet.backend.chargers |= {"cp1": Admission("accept"), "cp2": Admission("refuse")}
    fleet.comes_in("cp1")
    assert fleet.refused("cp2") == fleet.refused("cp3") == 404
    assert fleet.here.register.find("cp1").backend_verdict == "accept"
    assert fleet.here.register.find("cp3") == Record()  # who is refused leaves nothing behind


def test_who_is_pending_is_told_so_until_the_backend_says_otherwise():
    fleet = Fleet()
    fleet.backend.chargers["cp1"] = Admission("pending")
    client = fleet.comes_in()
    assert client.call("BootNotification", BOOT)["status"] == "Pending"
    assert client.call_error("Authorize", {"idTag": "T"}) == "SecurityError"
    fleet.backend.fail()
    assert client.call("BootNotification", BOOT)["status"] == "Pending"
    fleet.backend.recover()
    fleet.backend.chargers["cp1"] = Admission("refuse")
    assert client.call("BootNotification", BOOT)["status"] == "Rejected"
    fleet.backend.chargers["cp1"] = Admission("accept")
    assert client.call("BootNotification", BOOT)["status"] == "Accepted"


def test_an_operator_may_accept_who_is_pending():
    fleet = Fleet()
    fleet.backend.chargers["cp1"] = Admission("pending")
    fleet.decide(boot_status="Accepted")
    assert fleet.comes_in().call("BootNotification", BOOT)["status"] == "Accepted"


def test_what_it_said_last_holds_while_it_is_down():
    fleet = Fleet()
    fleet.backend.chargers |= {"cp1": Admission("accept"), "cp2": Admission("accept")}
    fleet.comes_in().disconnect()
    fleet.comes_in("cp2").disconnect()
    fleet.backend.chargers["cp2"] = Admission("refuse")
    assert fleet.refused("cp2") == 404
    fleet.backend.fail()
    fleet.comes_in()
    assert fleet.refused("cp2") == 404


def test_nobody_comes_in_because_it_failed():
    fleet = Fleet()
    fleet.backend.fail()
    for number in range(10):  # the breaker opens meanwhile
        assert fleet.refused(f"cp{number}") == 503 and ("Retry-After", "10") in fleet.why.headers
    fleet.backend.recover()
    fleet.backend.chargers["cp1"] = Admission("accept")
    fleet.here.clock.advance(COOL_DOWN)
    fleet.comes_in()


def test_nobody_comes_in_by_a_store_that_fails():
    fleet = Fleet()
    fleet.backend.chargers["cp1"] = Admission("accept")
    fleet.decide(password=PASSWORD)
    fleet.here.register.available = False
    assert fleet.refused(headers=BASIC) == 503 and fleet.asked() == 0


def test_passwords_stay_with_the_gateway_and_are_judged_first():
    """A flood of guesses does not reach the backend."""
    fleet = Fleet()
    fleet.backend.chargers["cp1"] = Admission("accept")
    fleet.decide(password=PASSWORD)
    assert {fleet.refused() for _ in range(20)} == {401, 429} and fleet.asked() == 0
    assert fleet.comes_in(headers=BASIC).charger.security_profile == 1 and fleet.asked() == 1
    fleet.backend.chargers.clear()
    assert fleet.refused(headers=BASIC) == 404


@pytest.mark.parametrize(("profile", "tls", "status"), [(1, False, 0), (2, False, 403), (2, True, 0), (3, True, 403), (0, False, 0)])
def test_the_backend_may_demand_a_security_profile(profile, tls, status):
    fleet = Fleet()
    fleet.decide(password=PASSWORD)
    fleet.backend.chargers["cp1"] = Admission("accept", profile)
    (came,) = fleet.knock(headers=BASIC, tls=tls)
    assert getattr(came, "status", 0) == status
    fleet.backend.chargers["cp1"] = Admission("accept")  # and take the demand back
    if status:
        fleet.comes_in(headers=BASIC, tls=tls)


def test_who_has_no_password_does_not_come_in_by_a_demand_for_one():
    fleet = Fleet()
    fleet.backend.chargers["cp1"] = Admission("accept", 1)
    assert fleet.refused() == 401


def test_ten_thousand_at_once_make_few_requests_and_all_come_in():
    fleet = Fleet(limit=64)
    ids = [f"cp{number}" for number in range(10_000)]
    fleet.backend.chargers |= dict.fromkeys(ids, Admission("accept"))
    clients = [fleet.comes_in(id) for id in ids]
    for each in clients:
        each.disconnect()
    fleet.backend.asked.clear()
    fleet.backend.hang()
    came = [fleet.knock(id) for id in ids]
    assert fleet.asked() == 32 and sum(map(len, came)) == len(ids) - 32
    fleet.backend.chargers |= {"cp9000": Admission("refuse")}
    fleet.backend.recover()  # those who came in by what was remembered are asked about after all
    assert fleet.asked() == len(ids) and all(isinstance(each[0], ChargerClient) for each in came)
    assert came[9000][0].wire.closed[0] == 1008 and came[9001][0].wire.closed is None


def test_those_without_a_remembered_verdict_wait_for_their_turn_and_not_for_ever():
    fleet = Fleet(limit=2)
    fleet.backend.chargers |= {f"cp{number}": Admission("accept") for number in range(5)}
    fleet.backend.hang()
    came = [fleet.knock(f"cp{number}") for number in range(5)]
    assert came == [[]] * 5 and fleet.asked() == 1
    fleet.here.clock.advance(MAX_WAIT)
    assert [each[0].status for each in came] == [503] * 5
    again = [fleet.knock(f"cp{number}") for number in range(5)]
    fleet.backend.recover()
    assert all(isinstance(each[0], ChargerClient) for each in again)


def test_one_charger_that_knocks_again_and_again_is_asked_about_once():
    fleet = Fleet()
    fleet.backend.chargers["cp1"] = Admission("accept")
    fleet.backend.hang()
    came = [fleet.knock() for _ in range(50)]
    assert fleet.asked() == 1
    fleet.backend.recover()
    assert all(isinstance(each[0], ChargerClient) for each in came) and fleet.asked() == 1


def test_too_many_that_wait_are_told_to_come_again(monkeypatch):
    monkeypatch.setattr("ocpp_tw.gateway.backend_register.MAX_WAITING", 3)
    fleet = Fleet(limit=2)
    fleet.backend.hang()
    came = [fleet.knock(f"cp{number}") for number in range(5)]
    assert [len(each) for each in came] == [0, 0, 0, 0, 1] and came[4][0].status == 503
    fleet.here.clock.advance(MAX_WAIT)


def test_a_backend_that_fails_at_once_fails_for_all_who_wait():
    """Each after the other: a thousand inside one another would be too deep."""
    fleet = Fleet(limit=2)
    fleet.backend.hang()
    came = [fleet.knock(f"cp{number}") for number in range(3000)]
    fleet.backend.fail()
    assert {each[0].status for each in came} == {503}


def test_a_verdict_is_forgotten_with_what_an_operator_decided():
    fleet = Fleet()
    fleet.backend.chargers["cp1"] = Admission("accept", 1)
    fleet.decide(password=PASSWORD)
    fleet.comes_in(headers=BASIC).disconnect()
    deferred(fleet.here.gateway.decisions.unregister("cp1"))
    fleet.backend.fail()
    assert fleet.refused() == 503


def test_a_verdict_counts_only_where_the_backend_is_the_register():
    fleet = Fleet()
    fleet.backend.chargers["cp1"] = Admission("accept", 2)
    fleet.decide("cp1", password=PASSWORD)
    fleet.comes_in(headers=BASIC, tls=True).disconnect()
    other = InMemoryGateway(Settings(name="other"), fleet.here.store)
    assert other.application.gateway.policy.least_for(other.register.find("cp9")) == 0


def test_a_charger_is_admitted_although_nothing_can_be_stored():
    events = MemoryEvents(MemoryStore())
    events.paused = True
    publisher = Publisher("gw", Stamps(), events)
    from twisted.internet.task import Clock

    clock, backend = Clock(), StaticBackend(chargers={"cp1": Admission("accept")})
    found: list[Any] = []
    waiting: Deferred[Record] = BackendRegister(backend, clock, publisher, 1).look_up("cp1", Record())  # type: ignore[arg-type,assignment]
    waiting.addCallback(found.append)
    clock.advance(3)
    assert found[0].backend_verdict == "accept"
    backend.fail()
    failed: list[Any] = []
    BackendRegister(backend, clock, publisher, 1).look_up("cp1", Record()).addErrback(failed.append)  # type: ignore[arg-type,union-attr]
    assert failed[0].check(StoreUnavailable)
