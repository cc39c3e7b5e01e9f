"""A charger's password is replaced, whatever the charger and its answer do: it is never locked out, and nobody is told the password."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from ocpp_tw.core import network_passwords
from ocpp_tw.core.entries import DECIDED
from ocpp_tw.core.new_passwords import MOST, forms
from ocpp_tw.core.passwords import generate
from ocpp_tw.settings import Settings
from ocpp_tw.simulator.quirks import NO_ANSWER, Effect, Quirk
from ocpp_tw.testing import InMemoryGateway
from ocpp_tw.waiting import deferred
from played import Played

OLD = "a password from the factory"
VERSIONS = ["1.6", "2.0.1", "2.1"]
NAMES = {"1.6": "AuthorizationKey", "2.0.1": "BasicAuthPassword", "2.1": "BasicAuthPassword"}


class Operated:
    """A gateway, and one charger of which its operator has the password."""

    def __init__(self, ocpp: str = "1.6", profile: int = 1, registered: bool = True, **settings: Any) -> None:
        self.here = InMemoryGateway(Settings(name="gw", **settings))
        self.here.application.dispatcher.start()
        if registered:
            stored = self.here.gateway.passwords.stored(OLD.encode())
            asyncio.run(self._decide({"registered": "yes", "password": stored}))
        self.url = "wss://csms/" if profile >= 2 else "ws://csms/"
        self.charger = Played(self.here, ocpp, url=self.url, profile=profile, password=OLD.encode(), insecure=True)
        self.events: list[dict[str, Any]] = []
        self.ids = 0

    async def _decide(self, changes: dict[str, Any], repeated: dict[str, str] | None = None) -> None:
        done = deferred(self.here.gateway.decisions.decide("cp1", changes, repeated or {}))
        assert done.called

    def command(self, name: str = "rotate_password", within: float = 40, **data: Any) -> dict[str, Any]:
        """The data of its result."""
        self.ids += 1
        return self._result(within, cp_id="cp1", command=name, data=data, id=f"u{self.ids}")

    def raw(self, action: str, payload: Any, within: float = 40) -> dict[str, Any]:
        self.ids += 1
        return self._result(within, CpID="cp1", data=[2, f"u{self.ids}", action, payload])

    def _result(self, within: float, **members: Any) -> dict[str, Any]:
        self.here.push_command(**members)
        self.charger.run(within)
        results = [each["data"] for each in self.told("command_result") if each["data"]["id"] == f"u{self.ids}"]
        assert len(results) == 1, results
        return results[0]

    def told(self, name: str) -> list[dict[str, Any]]:
        self.events += self.here.published()
        return [each for each in self.events if each["event"] == name]

    def kinds(self) -> list[str]:
        return [each["data"]["kind"] for each in self.told("security_event")]

    @property
    def waiting(self) -> int:
        return len(forms(self.here.register.find("cp1").new_password))

    @property
    def password(self) -> str:
        """What the charger shows now."""
        shown = self.charger.simulated.security.access().authorization
        return b64decode(shown.removeprefix("Basic ")).decode("latin-1").partition(":")[2]

    def is_let_in(self) -> bool:
        """At whatever moment it comes again."""
        before = len(self.charger.refusals)
        self.charger.reconnect()
        return len(self.charger.refusals) == before and self.charger.simulated.online

    def knows(self, password: str) -> bool:
        record = self.here.register.find("cp1")
        match = self.here.gateway.passwords.match
        stored = [record.password, *forms(record.new_password), *network_passwords.forms(record.network_passwords)]
        return any(match(each, password.encode("latin-1")) for each in stored)

    def finish(self) -> None:
        self.charger.simulated.shut_down()
        self.here.dispatcher.stop()


@pytest.fixture(params=VERSIONS)
def operated(request):
    made = Operated(request.param)
    yield made
    made.finish()


# the ordinary way


@pytest.mark.parametrize("profile", [1, 2])
@pytest.mark.parametrize("ocpp", VERSIONS)
def test_the_charger_comes_in_with_its_new_password_and_the_former_one_is_gone(ocpp, profile):
    """1.6 and 2.x A01."""
    operated = Operated(ocpp, profile)
    result = operated.command()
    assert (result["outcome"], result["status"], result["sent"]) == ("result", "Accepted", True)
    assert operated.charger.profiles == [profile, profile] and operated.charger.refusals == []
    assert operated.password != OLD and not operated.knows(OLD) and operated.waiting == 0
    assert operated.kinds() == ["password_changed"] and operated.is_let_in()
    operated.finish()


def test_it_is_stored_before_it_is_sent(monkeypatch):
    operated = Operated()
    durable: Deferred[None] = Deferred()
    publish = type(operated.here.events).publish

    def slowly(events, entry, then=None, value=None):
        if any(getattr(each, "name", "") == "new_password" and each.value for each in entry.effects):
            durable.addCallback(lambda _: publish(events, entry, then, value))
        else:
            publish(events, entry, then, value)

    monkeypatch.setattr(type(operated.here.events), "publish", slowly)
    operated.here.push_command(cp_id="cp1", command="rotate_password", data={}, id="u1")
    operated.charger.run(1)
    assert not [each for each in operated.charger.client.frames() if each[0] == 2]
    durable.callback(None)
    operated.charger.run(1)
    assert operated.password != OLD and operated.is_let_in()
    operated.finish()


def test_without_the_store_nothing_is_sent_and_nothing_waits():
    operated = Operated()
    operated.here.register.available = False
    result = operated.command(within=5)
    assert (result["outcome"], result["sent"], result["error"]["code"]) == ("error", False, "unavailable")
    operated.here.register.available = True
    assert operated.password == OLD and operated.waiting == 0 and operated.is_let_in()
    operated.finish()


def test_a_charger_without_a_password_is_given_its_first(operated):
    """It is let in without one until it shows that: then it has to."""
    other = Operated(operated.charger.ocpp, profile=0, registered=False)
    assert other.command()["status"] == "Accepted" and other.waiting == 1
    assert other.is_let_in() and other.charger.profiles[-1] == 0
    security = other.charger.simulated.security
    security._established = security._established._replace(profile=1)
    assert other.is_let_in() and other.charger.profiles[-1] == 1 and other.waiting == 0
    other.charger.simulated.security.password = OLD.encode()
    assert not other.is_let_in() and other.charger.refusals == [401]
    other.finish()


def test_a_wrong_password_that_nobody_asks_for_does_not_keep_out_a_charger_that_was_sent_its_first():
    operated = Operated(profile=0, registered=False)
    assert operated.command()["status"] == "Accepted"
    security = operated.charger.simulated.security
    security._established = security._established._replace(profile=1)
    security.password = OLD.encode()
    assert operated.is_let_in() and operated.charger.profiles[-1] == 0 and operated.waiting == 1
    operated.finish()


# what chargers do instead


@pytest.mark.parametrize("quirk", [Quirk("RebootRequired"), Quirk(effect=Effect.AFTER_REBOOT)])
def test_one_that_has_to_restart_first_comes_in_with_either(operated, quirk):
    operated.charger.quirks[NAMES[operated.charger.ocpp]] = quirk
    assert operated.command()["status"] == quirk.answer
    assert operated.is_let_in() and operated.waiting == 1 and operated.password == OLD
    operated.charger.boots_again()
    assert operated.password != OLD and operated.waiting == 0 and not operated.knows(OLD)
    assert operated.is_let_in() and operated.charger.refusals == []


@pytest.mark.parametrize("answer", ["Rejected", "NotSupported"])
def test_one_that_refuses_keeps_its_password_and_no_other_is_good_once_it_has_shown_that(answer):
    operated = Operated()
    operated.charger.quirks["AuthorizationKey"] = Quirk(answer)
    assert operated.command()["status"] == answer
    assert operated.kinds() == ["password_refused"] and operated.is_let_in() and operated.waiting == 0
    assert operated.told("security_event")[0]["data"]["detail"] == answer
    operated.finish()


@pytest.mark.parametrize("code", ["NotSupported", "NotImplemented", "FormationViolation", "SecurityError"])
def test_a_callerror_that_says_that_nothing_was_done_leaves_nothing_waiting_once_the_charger_has_come_again(code):
    operated = Operated()
    answer_with(operated, lambda call: [4, call[1], code, "no", {}])
    assert operated.command()["error"]["code"] == code and operated.kinds() == ["password_refused"]
    assert operated.is_let_in() and operated.waiting == 0
    operated.finish()


@pytest.mark.parametrize("effect", [Effect.AT_ONCE, Effect.NEXT_CONNECTION])
def test_one_that_refuses_and_takes_it_all_the_same_is_let_in_and_its_former_one_is_gone(operated, effect):
    operated.charger.quirks[NAMES[operated.charger.ocpp]] = Quirk("Rejected", effect)
    assert operated.command(within=5)["status"] == "Rejected"
    assert operated.is_let_in() and operated.charger.refusals == []
    assert operated.password != OLD and operated.waiting == 0 and not operated.knows(OLD)
    assert sorted(operated.kinds()) == ["password_changed", "password_refused"]


def test_what_it_refuses_again_and_again_is_bounded_and_hinders_nothing():
    operated = Operated()
    operated.charger.quirks["AuthorizationKey"] = Quirk("Rejected")
    for _ in range(MOST + 2):
        assert operated.command(within=1)["status"] == "Rejected" and operated.waiting <= MOST
    operated.charger.quirks["AuthorizationKey"] = Quirk("Rejected", Effect.NEXT_CONNECTION)
    assert operated.command(within=1)["status"] == "Rejected"
    assert operated.is_let_in() and operated.charger.refusals == [] and operated.waiting == 0 and operated.password != OLD
    operated.finish()


def test_one_that_was_refused_is_not_good_to_a_gateway_that_does_not_know_of_that():
    """As all gateways did before: it is stored so that it is not compared."""
    operated = Operated()
    operated.charger.quirks["AuthorizationKey"] = Quirk("Rejected", Effect.NEXT_CONNECTION)
    operated.command(within=1)
    (stored,) = operated.here.register.find("cp1").new_password.split()
    match = operated.here.gateway.passwords.match
    password = operated.password.encode("latin-1")
    assert not match(stored, password) and match(forms(stored)[0], password)
    operated.finish()


def test_one_that_comes_in_with_nothing_and_has_refused_its_first_is_as_unknown_as_before():
    """Nor is it locked out should it have taken that: nothing is asked of it."""
    operated = Operated(profile=0, registered=False)
    operated.charger.quirks["AuthorizationKey"] = Quirk("Rejected")
    assert operated.command(within=1)["status"] == "Rejected" and operated.waiting == 1
    assert operated.is_let_in() and operated.waiting == 0 and not operated.here.register.find("cp1").is_registered
    operated.finish()


def test_a_charger_without_a_password_that_refuses_its_first_has_none_to_raise_its_security_profile_with():
    operated = Operated(profile=0, registered=False, trusted_proxies=("10.0.0.1",))
    operated.charger.quirks["AuthorizationKey"] = Quirk("Rejected")
    assert operated.command(within=1)["status"] == "Rejected"
    result = operated.command("set_security_profile", within=1, security_profile=1)
    assert (result["outcome"], result["sent"]) == ("invalid", False) and "no password yet" in result["error"]["description"]
    operated.finish()


@pytest.mark.parametrize(
    "answer",
    [
        lambda call: [4, call[1], "InternalError", "", {}],
        lambda call: [4, call[1], "GenericError", "", {}],
        lambda call: [3, call[1], {}],
        lambda call: [3, call[1], {"status": "accepted"}],
        lambda call: [3, call[1], "Accepted"],
        lambda call: [3, call[1], {"status": None}],
        lambda call: [3],
        lambda call: [4, call[1]],
    ],
)
def test_an_answer_that_does_not_say_leaves_both_good(answer):
    operated = Operated()
    answer_with(operated, answer)
    operated.command()
    assert operated.waiting == 1 and operated.kinds() == [] and operated.is_let_in()
    operated.finish()


@pytest.mark.parametrize("effect", [None, Effect.NEVER, Effect.NEXT_CONNECTION, Effect.AFTER_REBOOT])
def test_when_the_connection_is_lost_before_the_answer_both_are_good(operated, effect):
    operated.charger.quirks[NAMES[operated.charger.ocpp]] = Quirk(NO_ANSWER, effect)
    assert operated.command()["outcome"] == "connection_lost"
    for _ in range(2):
        operated.charger.boots_again()
        assert operated.is_let_in() and operated.charger.refusals == []
    assert operated.waiting == (1 if effect is Effect.NEVER else 0)


def test_when_no_answer_comes_both_are_good(operated):
    answer_with(operated, lambda call: None)
    assert operated.command()["outcome"] == "timeout"
    assert operated.waiting == 1 and operated.is_let_in()


# again and again


EFFECTS = [*Effect, None]


@pytest.mark.parametrize("seed", range(30))
def test_a_charger_is_never_locked_out_whatever_it_does_with_each_of_many_passwords(seed):
    from random import Random

    random = Random(seed)
    operated = Operated(random.choice(VERSIONS))
    answers = ["Accepted", "RebootRequired", NO_ANSWER, "Rejected"]
    for _ in range(12):
        answer, effect = random.choice(answers), random.choice(EFFECTS)
        if answer == "Rejected" and effect is Effect.AFTER_REBOOT:
            effect = Effect.NEXT_CONNECTION  # one that shows its former password after it has refused another has to mean that
        operated.charger.quirks[NAMES[operated.charger.ocpp]] = Quirk(answer, effect)
        operated.command(within=random.choice([1, 3]))
        if random.random() < 0.4:
            operated.charger.boots_again()
        assert operated.is_let_in() and operated.charger.refusals == [], seed
    operated.finish()


def test_after_four_that_may_be_in_use_no_further_one_is_sent_until_one_of_them_is_shown():
    operated = Operated()
    operated.charger.quirks["AuthorizationKey"] = Quirk("RebootRequired")
    for _ in range(MOST):
        assert operated.command(within=1)["status"] == "RebootRequired"
    result = operated.command(within=1)
    assert (result["outcome"], result["sent"], result["error"]["code"]) == ("error", False, "too_many_passwords")
    operated.charger.boots_again()
    assert operated.is_let_in()
    operated.charger.quirks.clear()
    assert operated.command(within=3)["status"] == "Accepted" and operated.is_let_in() and operated.charger.refusals == []
    operated.finish()


def test_an_operator_who_sets_the_same_password_again_ends_none_that_waits():
    """The same file is imported again before the charger has come with what it was sent."""
    for answer in ("Accepted", "RebootRequired"):
        operated = Operated()
        operated.charger.quirks["AuthorizationKey"] = Quirk(answer, Effect.NEXT_CONNECTION)
        operated.command(within=1)
        before = operated.here.register.find("cp1").password
        again = operated.here.gateway.passwords.stored(OLD.encode())
        asyncio.run(operated._decide({"registered": "yes", "password": again}, {"password": before}))
        assert operated.here.register.find("cp1").password == again and operated.waiting == 1
        assert operated.is_let_in() and operated.charger.refusals == [] and operated.password != OLD and not operated.knows(OLD)
        asyncio.run(operated._decide({"registered": "yes", "password": before}, {"password": again}))  # it was asked for before that
        assert operated.is_let_in() and operated.charger.refusals == []
        operated.finish()


def test_an_operator_who_sets_the_password_ends_all_that_wait():
    operated = Operated()
    operated.charger.quirks["AuthorizationKey"] = Quirk("RebootRequired")
    operated.command(within=1)
    asyncio.run(operated._decide({"password": operated.here.gateway.passwords.stored(OLD.encode()), "new_password": None}))
    assert operated.waiting == 0
    operated.charger.run(1)
    assert operated.charger.refusals == []
    operated.finish()


def test_a_charger_that_is_removed_while_its_password_is_unanswered_stays_removed():
    """Nor does what was sent before outlive a password that the operator has set meanwhile."""
    for decided in (dict.fromkeys(DECIDED), {"password": "stored", "new_password": None}):
        operated = Operated()
        operated.charger.quirks["AuthorizationKey"] = Quirk(NO_ANSWER)
        operated.here.push_command(cp_id="cp1", command="rotate_password", data={}, id="u1")
        asyncio.run(operated._decide(decided))
        operated.charger.run(40)
        assert operated.waiting == 0 and operated.here.register.find("cp1").password == (decided["password"] or "")
        operated.finish()


# the backend's own


def test_a_password_that_the_backend_sets_is_adopted(operated):
    """Raw, or by the neutral command for settings."""
    new = generate()
    if operated.charger.ocpp == "1.6":
        result = operated.raw("ChangeConfiguration", {"key": "authorizationKEY", "value": new})
    else:
        named = {"component": {"name": "securityctrlr"}, "variable": {"name": "BasicAuthPassword"}}
        result = operated.raw("SetVariables", {"setVariableData": [{"attributeValue": new, **named}]})
    assert result["outcome"] == "result" and operated.charger.refusals == []
    assert operated.knows(new) and not operated.knows(OLD) and operated.kinds() == ["password_changed"]
    assert new not in json.dumps(operated.events)


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_one_among_other_variables_is_adopted_too(ocpp):
    operated = Operated(ocpp)
    new = generate()
    result = operated.raw(
        "SetVariables",
        {
            "setVariableData": [
                {"attributeValue": "100", "component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}},
                {"attributeValue": new, "component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}},
            ]
        },
    )
    assert result["outcome"] == "result" and operated.knows(new) and operated.is_let_in()
    operated.finish()


# network profiles, each of which may have its own


def profiled(slot: int, password: str | None) -> Operated:
    operated = Operated("2.1")
    assert set_profile(operated, slot, password)["status"] == "Accepted"
    return operated


def set_profile(operated: Operated, slot: int, password: str | None) -> dict[str, Any]:
    profile = {"ocppInterface": "Wired0", "ocppTransport": "JSON", "messageTimeout": 30, "securityProfile": 1, "ocppCsmsUrl": "ws://csms/"}
    if password:
        profile["basicAuthPassword"] = password
    return operated.raw("SetNetworkProfile", {"configurationSlot": slot, "connectionData": profile}, within=1)


def shows(operated: Operated, password: str) -> bool:
    """Whether a charger is let in that shows this, whichever network profile it is on."""
    operated.charger.simulated.security.password = password.encode()
    return operated.is_let_in()


def test_a_charger_goes_to_a_network_profile_with_its_own_password_and_back_as_often_as_it_likes():
    """2.1 B09, B10."""
    own = generate()
    operated = profiled(1, own)
    assert operated.waiting == 0 and operated.knows(own)
    for _ in range(2):
        for password in (own, OLD):
            assert shows(operated, password) and operated.charger.profiles[-1] == 1 and operated.charger.refusals == []
            assert operated.knows(own) and operated.knows(OLD)
    assert "password_changed" not in operated.kinds() and own not in json.dumps(operated.events)
    operated.finish()


def test_a_simulated_charger_does_so_too():
    own = generate()
    operated = profiled(1, own)
    for priority, password in (("1,0", own), ("0,1", OLD), ("1,0", own)):
        operated.command("change_configuration", key="OCPPCommCtrlr.NetworkConfigurationPriority", value=priority)
        operated.charger.boots_again()
        assert operated.charger.refusals == [] and operated.charger.simulated.online and operated.knows(OLD), password
    operated.finish()


def test_a_later_password_for_the_same_slot_ends_the_former_one_of_that_and_of_no_other():
    first, second, other = generate(), generate(), generate()
    operated = profiled(1, first)
    set_profile(operated, 2, other)
    assert set_profile(operated, 1, second)["status"] == "Accepted"
    assert not operated.knows(first) and operated.knows(second) and operated.knows(other) and operated.knows(OLD)
    assert shows(operated, second) and shows(operated, other) and not shows(operated, first)
    operated.finish()


def test_one_that_is_in_use_is_good_until_the_charger_has_shown_the_later_one():
    first, second = generate(), generate()
    operated = profiled(1, first)
    assert shows(operated, first) and set_profile(operated, 1, second)["status"] == "Accepted"
    assert shows(operated, first) and shows(operated, second) and not operated.knows(first) and operated.knows(OLD)
    operated.finish()


@pytest.mark.parametrize("answer", [None, "Rejected"])
def test_whether_the_charger_has_it_decides_whether_the_former_one_of_its_slot_stays(answer):
    first, second = generate(), generate()
    operated = profiled(1, first)
    answer_with(operated, lambda call: answer and [3, call[1], {"status": answer}])
    operated.ids += 1
    profile = {"ocppInterface": "Wired0", "ocppTransport": "JSON", "messageTimeout": 30, "securityProfile": 1, "ocppCsmsUrl": "ws://csms/"}
    operated._result(
        40,
        CpID="cp1",
        data=[
            2,
            f"u{operated.ids}",
            "SetNetworkProfile",
            {"configurationSlot": 1, "connectionData": {**profile, "basicAuthPassword": second}},
        ],
    )
    assert operated.knows(first) and operated.knows(second) and operated.waiting == 0
    assert shows(operated, first) and operated.knows(first) and operated.knows(second) == (answer is None)
    operated.finish()


@pytest.mark.parametrize("own", [True, False])
def test_one_of_a_network_profile_that_is_refused_and_taken_all_the_same_is_good(own):
    """As the charger's own would be, until it next authenticates."""
    first, second = generate(), generate()
    operated = profiled(1, first)
    assert shows(operated, OLD if own else first)
    answer_with(operated, lambda call: [3, call[1], {"status": "Rejected"}])
    assert set_profile(operated, 1, second)["status"] == "Rejected" and "password_refused" in operated.kinds()
    assert shows(operated, second) and operated.charger.refusals == [] and not operated.knows(first) and operated.knows(OLD)
    assert shows(operated, second)
    operated.finish()


def test_a_rotation_on_a_network_profile_of_its_own_password_leaves_that_good():
    own = generate()
    operated = profiled(1, own)
    assert shows(operated, own)
    assert operated.command()["status"] == "Accepted" and operated.is_let_in()
    rotated = operated.password
    assert rotated not in (own, OLD) and not operated.knows(OLD)
    for password in (own, rotated, own):
        assert shows(operated, password) and operated.charger.refusals == []
    assert not shows(operated, OLD)
    operated.finish()


def test_one_that_is_set_as_a_variable_of_its_slot_belongs_to_that():
    """2.1 part 2, NetworkConfiguration: it sets the password of its instance alone."""
    own = generate()
    operated = profiled(2, generate())
    named = {"component": {"name": "networkconfiguration", "instance": "2"}, "variable": {"name": "BasicAuthPassword"}}
    answer_with(operated, lambda call: [3, call[1], {"setVariableResult": [{"attributeStatus": "Accepted", **named}]}])
    operated.raw("SetVariables", {"setVariableData": [{"attributeValue": own, **named}]})
    assert operated.knows(own) and operated.knows(OLD) and operated.waiting == 0
    assert len(network_passwords.forms(operated.here.register.find("cp1").network_passwords)) == 1
    assert own not in json.dumps(operated.events)
    operated.finish()


def test_an_operator_who_sets_the_password_ends_those_of_network_profiles_too():
    own = generate()
    operated = profiled(1, own)
    asyncio.run(operated._decide({"password": operated.here.gateway.passwords.stored(OLD.encode())}))
    assert not operated.knows(own)
    operated.charger.run(1)
    assert operated.charger.refusals == []
    operated.finish()


def test_a_charger_without_a_password_that_has_shown_one_of_a_network_profile_has_to_show_one_from_then_on():
    operated = Operated("2.1", profile=0, registered=False)
    own = generate()
    assert set_profile(operated, 1, own)["status"] == "Accepted" and operated.is_let_in()
    security = operated.charger.simulated.security
    security._established = security._established._replace(profile=1)
    assert shows(operated, own) and operated.charger.profiles[-1] == 1
    assert not shows(operated, OLD) and operated.charger.refusals == [401]
    operated.finish()


def test_one_that_a_former_version_has_stored_among_those_that_wait_is_good():
    operated = Operated("2.1")
    own = generate()
    asyncio.run(operated._decide({"new_password": operated.here.gateway.passwords.stored(own.encode())}))
    assert shows(operated, own) and not operated.knows(OLD) and operated.waiting == 0
    operated.finish()


@pytest.mark.parametrize("wrong", ["5", "x" * 15, "x" * 65, "é" * 33, "a password with a \n in it"])
def test_one_that_no_version_allows_is_not_sent(operated, wrong):
    """1.6 security whitepaper A00.FR.205: 16 bytes at least; 2.x the same, and 64 characters at most."""
    named = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    if operated.charger.ocpp == "1.6":
        raw = operated.raw("ChangeConfiguration", {"key": "AuthorizationKey", "value": wrong})
        neutral = operated.command("change_configuration", key="AuthorizationKey", value=wrong)
    else:
        raw = operated.raw("SetVariables", {"setVariableData": [{"attributeValue": wrong, **named}]})
        neutral = operated.command("change_configuration", key="SecurityCtrlr.BasicAuthPassword", value=wrong)
    for result in (raw, neutral):
        assert (result["outcome"], result["sent"]) == ("invalid", False)
        assert "password" in result["error"]["description"] and "16 to 64 printable characters" in result["error"]["description"]
        assert wrong not in result["error"]["description"] or wrong == "5"
    assert operated.password == OLD and operated.waiting == 0 and operated.is_let_in()


def test_the_shortest_and_the_longest_are_sent(operated):
    for length in (16, 64):
        if operated.charger.ocpp == "1.6":
            result = operated.raw("ChangeConfiguration", {"key": "AuthorizationKey", "value": "x" * length})
        else:
            named = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
            result = operated.raw("SetVariables", {"setVariableData": [{"attributeValue": "x" * length, **named}]})
        assert result["outcome"] == "result"


@pytest.mark.parametrize("payload", [{"key": "HeartbeatInterval", "value": "300"}, {"key": "AuthorizationKey", "value": ""}])
def test_what_is_no_password_is_not_stored(payload):
    operated = Operated()
    operated.raw("ChangeConfiguration", payload)
    assert operated.waiting == 0 and operated.password == OLD
    operated.finish()


# nobody is told


def test_a_charger_that_repeats_its_password_in_its_answer_tells_nobody(operated, said):
    """In an answer, in an error, in one that nobody can read, in one that comes too late."""
    sent: list[str] = []

    def echo(call: Any) -> Any:
        sent.append(text := json.dumps(call[3]))
        return [
            [4, call[1], "InternalError", text, {"was": call[3], text: 1}],
            [3, call[1], {"status": "Accepted", "was": [text, call[3]]}],
            [3, call[1], text],
            None,
        ][len(sent) - 1]

    answer_with(operated, echo)
    for _ in range(4):
        operated.command(within=35)
    last = operated.charger.here
    late = next(each for each in reversed([json.loads(text) for text in operated.charger.wire.sent]) if each[0] == 2)
    operated.charger.client.send_text(json.dumps([3, late[1], {"status": "Accepted", "was": late[3]}]))
    assert operated.told("late_response")
    passwords = [word for text in sent for word in text.split('"') if len(word) == 40]
    assert len(passwords) == 4
    for password in passwords:
        assert password not in json.dumps(operated.events) and not any(password in line for line in said)
        assert password not in json.dumps([str(table) for table in last.store.tables.values()])


def answer_with(operated: Operated, answer: Any) -> None:
    """The charger's answer to the next CALLs, instead of its own; None is none."""
    simulated, here = operated.charger.simulated, operated.here

    def received(text: bytes) -> None:
        call = json.loads(text)
        if call[0] == 2 and (answered := answer(call)) is not None:
            here.clock.callLater(0.001, operated.charger.client.send_text, json.dumps(answered))
        elif call[0] != 2:
            type(simulated).received(simulated, text)

    operated.charger.receive = received


def test_while_the_store_takes_nothing_a_password_is_neither_sent_nor_kept_to_be_sent_later():
    operated = Operated()
    operated.charger.run(5)
    operated.here.events.paused = True
    operated.here.push_command(cp_id="cp1", command="rotate_password", data={}, id="u1")
    operated.charger.run(5)
    operated.here.events.resume()
    operated.charger.run(40)
    (result,) = [each["data"] for each in operated.told("command_result")]
    assert (result["outcome"], result["error"]["code"], result["sent"]) == ("error", "unavailable", False)
    assert operated.waiting == 0 and "password_changed" not in operated.kinds()
