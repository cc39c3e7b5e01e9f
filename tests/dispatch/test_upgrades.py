"""A charger's security profile is raised, and it is told whether the charger has come in so; it is never lowered."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from certificates import Made
from ocpp_tw.core.authority import make
from ocpp_tw.core.entries import FLEET, GUARDED, SECURITY
from ocpp_tw.core.passwords import generate
from ocpp_tw.core.wanted import WITHIN
from ocpp_tw.dispatch.upgrades import LATER
from ocpp_tw.memory import MemoryKeys
from ocpp_tw.settings import Settings
from ocpp_tw.simulator.own_certificates import load_own
from ocpp_tw.simulator.quirks import NO_ANSWER, Effect, Quirk
from ocpp_tw.testing import InMemoryGateway
from played import Played

PASSWORD = generate()
VERSIONS = ["1.6", "2.0.1", "2.1"]
ROOT, _ = make("CA", "", time.time())


class Raised:
    """A gateway that has all that is needed, and a charger with a lower profile."""

    def __init__(self, ocpp: str = "1.6", profile: int = 1, password: bool = True, own: bool = False, **settings: Any) -> None:
        served = {"tls": ("tls.pem",), "tls_client_ca": ("ca.pem",)} | settings
        self.keys = MemoryKeys()
        self.here = InMemoryGateway(Settings(name="gw", **served), keys=self.keys)
        self.here.dispatcher.start()
        if password:
            self.here.store.tables[FLEET, SECURITY][GUARDED] = b"yes"
            self.here.store.tables["record", "cp1"]["password"] = self.here.gateway.passwords.stored(PASSWORD.encode()).encode()
        made = Made("cp1")
        shown = bytes.fromhex(PASSWORD) if ocpp == "1.6" else PASSWORD.encode()
        self.charger = Played(
            self.here, ocpp, url="wss://csms/" if profile > 1 else "ws://csms/", profile=profile, password=shown if password else None, roots=(ROOT,),
            own=load_own(made.pem.decode()) if own else None,
        )  # fmt: skip
        self.events: list[dict[str, Any]] = []
        self.ids = 0

    def command(self, profile: Any, within: float = 20, **data: Any) -> dict[str, Any]:
        self.ids += 1
        self.here.push_command(cp_id="cp1", command="set_security_profile", data={"security_profile": profile, **data}, id=f"u{self.ids}")
        self.charger.run(within)
        (result,) = [each["data"] for each in self.told("command_result") if each["data"]["id"] == f"u{self.ids}"]
        return result

    def restart(self) -> None:
        """The gateway ends, and its next run has what the store has."""
        self.told("")
        self.here.dispatcher.stop()
        self.here.store.living.clear()
        self.here = self.charger.here = InMemoryGateway(self.here.settings, self.here.store, self.here.clock, keys=self.keys)
        self.here.dispatcher.start()
        self.charger.reconnect()

    def told(self, name: str) -> list[dict[str, Any]]:
        self.events += self.here.published()
        return [each for each in self.events if each["event"] == name]

    def kinds(self) -> list[str]:
        return [each["data"]["kind"] for each in self.told("security_event")]

    @property
    def record(self) -> Any:
        return self.here.register.find("cp1")

    def asked(self) -> list[str]:
        return [each[2] for each in map(json.loads, self.charger.wire.sent) if each[0] == 2]

    def finish(self) -> None:
        self.charger.simulated.shut_down()
        self.here.dispatcher.stop()


# the ordinary way


@pytest.mark.parametrize(("before", "after", "own"), [(1, 2, False), (1, 3, True), (2, 3, True)])
@pytest.mark.parametrize("ocpp", VERSIONS)
def test_the_charger_comes_in_with_the_higher_profile_and_never_with_less_again(ocpp, before, after, own):
    """1.6 A05; 2.x A05, B09, B10."""
    raised = Raised(ocpp, before, own=own)
    result = raised.command(after)
    assert (result["outcome"], result["status"]) == ("result", "Accepted"), result
    assert raised.charger.profiles == [before, after] and raised.charger.refusals == []
    assert raised.kinds() == ["profile_upgraded"] and raised.record.least_profile == after and not raised.record.wanted_profile
    raised.charger.run(WITHIN / 60)
    raised.here.clock.advance(WITHIN)
    raised.charger.run(1)
    assert raised.kinds() == ["profile_upgraded"]
    raised.finish()


@pytest.mark.parametrize("ocpp", VERSIONS)
def test_from_profile_0_it_goes_by_way_of_a_password(ocpp):
    raised = Raised(ocpp, 0, password=False)
    assert "no password yet" in raised.command(1)["error"]["description"]
    raised.here.push_command(cp_id="cp1", command="rotate_password", data={}, id="r1")
    raised.charger.run(1)
    assert raised.command(1)["status"] == "Accepted"
    assert raised.charger.profiles[-1] == 1 and raised.charger.refusals == []
    assert sorted(raised.kinds()) == ["password_changed", "profile_upgraded"] and raised.record.least_profile == 1
    raised.finish()


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_in_2_x_what_works_is_kept_behind_the_new_network_profile(ocpp):
    raised = Raised(ocpp)
    wires: list[Any] = [raised.charger.wire]
    result = raised.command(2, url="wss://csms/path")
    assert [each["action"] for each in result["payload"]["steps"]] == ["SetNetworkProfile", "SetVariables", "Reset"]
    sent = {each[2]: each for each in map(json.loads, wires[0].sent) if each[0] == 2}
    assert sent["SetNetworkProfile"][1] == "u1" and sent["SetNetworkProfile"][3]["configurationSlot"] == 1
    assert sent["SetNetworkProfile"][3]["connectionData"]["ocppCsmsUrl"] == "wss://csms/path"
    assert sent["SetVariables"][3]["setVariableData"][0]["attributeValue"] == "1,0"
    assert sent["Reset"][3] == {"type": "OnIdle"}
    assert raised.charger.simulated.security.access().url == "wss://csms/path/cp1"
    raised.finish()


# what is not sent


@pytest.mark.parametrize("ocpp", VERSIONS)
def test_it_is_never_lowered(ocpp):
    raised = Raised(ocpp, 2)
    for profile in (1, 2):
        result = raised.command(profile)
        assert (result["outcome"], result["sent"]) == ("invalid", False) and "only ever raised" in result["error"]["description"]
    assert raised.asked() == []
    raised.finish()


@pytest.mark.parametrize(
    ("settings", "profile", "why"),
    [({"tls": ()}, 2, "no TLS"), ({"tls": ()}, 3, "no TLS"), ({"tls_client_ca": ()}, 3, "no certificates")],
)
def test_what_the_gateway_itself_does_not_have_is_not_asked_of_a_charger(settings, profile, why):
    raised = Raised(**settings)
    result = raised.command(profile)
    assert result["outcome"] == "invalid" and why in result["error"]["description"] and raised.asked() == []
    raised.finish()


@pytest.mark.parametrize("profile", [0, 4, -1, "2", None, True])
def test_what_is_no_profile_is_invalid(profile):
    raised = Raised()
    assert raised.command(profile)["outcome"] == "invalid" and raised.asked() == []
    raised.finish()


@pytest.mark.parametrize(
    ("ocpp", "data"),
    [
        ("1.6", {"url": "wss://x/"}),
        ("2.0.1", {"url": "ws://x/"}),
        ("2.1", {"url": "http://x/"}),
        ("2.0.1", {"interface": "Any"}),
        ("2.1", {"slot": 0}),
    ],
)
def test_what_the_version_or_the_profile_does_not_allow_is_invalid(ocpp, data):
    raised = Raised(ocpp)
    assert raised.command(2, **data)["outcome"] == "invalid"
    assert "SetNetworkProfile" not in raised.asked() and not raised.record.wanted_profile
    raised.finish()


# what chargers do instead


@pytest.mark.parametrize("ocpp", VERSIONS)
def test_one_that_comes_back_with_its_former_profile_is_told_of(ocpp):
    raised = Raised(ocpp)
    quirk = Quirk("Accepted", Effect.NEVER)
    raised.charger.quirks["SecurityProfile" if ocpp == "1.6" else "NetworkConfigurationPriority"] = quirk
    raised.command(2)
    if ocpp == "1.6":
        raised.charger.reconnect()
    assert raised.charger.profiles == [1, 1] and raised.kinds() == ["profile_upgrade_failed"]
    assert raised.record.least_profile == 1 and not raised.record.wanted_profile
    raised.finish()


@pytest.mark.parametrize("answer", ["Rejected", "NotSupported"])
def test_one_that_refuses_stays_as_it_is(answer):
    raised = Raised()
    raised.charger.quirks["SecurityProfile"] = Quirk(answer)
    assert raised.command(2)["status"] == answer
    raised.charger.reconnect()
    assert raised.kinds() == [] and not raised.record.wanted_profile
    raised.finish()


def test_one_that_lacks_what_it_needs_says_so():
    """A05.FR.04 of 1.6: no certificate of its own."""
    raised = Raised(own=False)
    assert raised.command(3)["status"] == "Rejected" and not raised.record.wanted_profile
    raised.finish()


@pytest.mark.parametrize(
    ("name", "quirk", "steps"),
    [
        ("SetNetworkProfile", Quirk("Rejected"), 1),
        ("SetNetworkProfile", Quirk("Failed"), 1),
        ("NetworkConfigurationPriority", Quirk("Rejected"), 2),
    ],
)
def test_in_2_x_the_result_says_which_step_was_refused(name, quirk, steps):
    raised = Raised("2.0.1")
    raised.charger.quirks[name] = quirk
    result = raised.command(2)
    assert result["status"] == quirk.answer and len(result["payload"]["steps"]) == steps and not raised.record.wanted_profile
    assert "Reset" not in raised.asked() and raised.charger.profiles == [1]
    raised.finish()


def test_one_that_has_to_restart_first_may_come_in_as_before_until_then():
    raised = Raised()
    raised.charger.quirks["SecurityProfile"] = Quirk("RebootRequired")
    assert raised.command(2)["status"] == "RebootRequired"
    raised.charger.reconnect()
    assert raised.kinds() == []
    raised.charger.boots_again()
    assert raised.charger.profiles[-1] == 2 and raised.kinds() == ["profile_upgraded"]
    raised.finish()


def test_one_that_does_not_come_within_an_hour_is_told_of():
    raised = Raised()
    raised.charger.quirks["SecurityProfile"] = Quirk("RebootRequired")
    raised.command(2)
    raised.here.clock.advance(WITHIN)
    assert raised.kinds() == ["profile_upgrade_failed"] and not raised.record.wanted_profile
    assert "within an hour" in raised.told("security_event")[0]["data"]["detail"]
    raised.finish()


def test_one_that_does_not_come_within_an_hour_is_told_of_though_the_gateway_has_restarted():
    raised = Raised()
    raised.charger.quirks["SecurityProfile"] = Quirk("RebootRequired")
    raised.command(2)
    raised.here.clock.advance(600)
    raised.restart()
    raised.here.clock.advance(WITHIN - 700)
    raised.charger.reconnect()
    assert raised.kinds() == []
    raised.here.clock.advance(100 + LATER)
    assert raised.kinds() == ["profile_upgrade_failed"] and not raised.record.wanted_profile
    raised.finish()


def test_one_that_comes_as_before_when_the_hour_is_over_is_told_of_at_once():
    raised = Raised()
    raised.charger.quirks["SecurityProfile"] = Quirk("RebootRequired")
    raised.command(2)
    raised.here.dispatcher.stop()
    raised.here.clock.advance(WITHIN + 1)
    assert raised.kinds() == []
    raised.restart()
    assert raised.kinds() == ["profile_upgrade_failed"] and not raised.record.wanted_profile
    assert "profile 1, not 2 within an hour" in raised.told("security_event")[0]["data"]["detail"]
    raised.finish()


def test_two_gateways_that_wait_tell_once():
    raised = Raised()
    raised.charger.quirks["SecurityProfile"] = Quirk("RebootRequired")
    raised.command(2)
    other = InMemoryGateway(replace(raised.here.settings, name="other"), raised.here.store, raised.here.clock, keys=raised.keys)
    raised.charger.here = other
    raised.charger.reconnect()
    raised.here.clock.advance(WITHIN)
    raised.here.clock.advance(LATER)
    assert raised.kinds() == ["profile_upgrade_failed"]
    raised.finish()


@pytest.mark.parametrize(("effect", "kind"), [(None, "profile_upgraded"), (Effect.NEVER, "profile_upgrade_failed")])
def test_when_the_connection_is_lost_before_the_answer_the_next_one_tells(effect, kind):
    raised = Raised()
    raised.charger.quirks["SecurityProfile"] = Quirk(NO_ANSWER, effect)
    assert raised.command(2)["outcome"] == "connection_lost"
    assert raised.kinds() == [kind]
    raised.finish()


def test_one_that_does_not_tell_what_works_now_is_left_alone():
    raised = Raised("2.0.1")
    raised.charger.simulated.configuration.set("NetworkConfigurationPriority", "")
    result = raised.command(2)
    assert result["error"]["code"] == "no_network_priority" and "SetNetworkProfile" not in raised.asked()
    assert not raised.record.wanted_profile
    raised.finish()


def test_without_the_store_nothing_is_sent():
    raised = Raised()
    raised.here.register.available = False
    raised.here.store.tables[FLEET, SECURITY][GUARDED] = b"yes"
    publish = raised.here.events.publish
    raised.here.events.publish = lambda entry, then=None, value=None: (
        None if any(getattr(x, "name", "") == "wanted_profile" and x.value for x in entry.effects) else publish(entry, then, value)
    )  # type: ignore[method-assign]
    result = raised.command(2)
    assert result["error"]["code"] == "unavailable" and raised.asked() == []
    raised.finish()
