"""The security of a 2.x charger: its password, its network connection profiles and its certificates (use cases A01 to A05, B09, B10)."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest

from certificates import Made
from ocpp_tw.simulator.dialect import Dialect
from ocpp_tw.simulator.quirks import NO_ANSWER, Effect, Quirk
from ocpp_tw.simulator.security import Provision
from ocpp_tw.simulator.v2.dialect import V21, V201
from simulator.authority import sign, subject
from simulator.central import Central

OLD, NEW = "the first password", "pässword number 2, which may be long"
CA = Made("ca")
ROOT = {"certificateType": "CSMSRootCertificate", "certificate": CA.certificate.decode()}
NETWORK = {"ocppVersion": "OCPP20", "ocppTransport": "JSON", "ocppInterface": "Wired0", "messageTimeout": 30}


@pytest.fixture(params=[V201, V21], ids=lambda each: each.ocpp)
def central(request: Any) -> Iterator[Central]:
    """A connected charger with profile 1."""
    it = station(request.param)
    yield it
    it.shut_down()


def station(dialect: Dialect) -> Central:
    return Central(dialect, provision=Provision("ws://one/ocpp", 1, OLD.encode())).connect()


def set_variable(central: Central, name: str, value: str, component: str = "SecurityCtrlr") -> str:
    wanted = {"component": {"name": component}, "variable": {"name": name}, "attributeValue": value}
    return str(central.command("SetVariables", {"setVariableData": [wanted]})["setVariableResult"][0]["attributeStatus"])


def variable(central: Central, name: str, component: str = "SecurityCtrlr") -> Any:
    wanted = {"component": {"name": component}, "variable": {"name": name}}
    return central.command("GetVariables", {"getVariableData": [wanted]})["getVariableResult"][0].get("attributeValue")


def prioritize(central: Central, slots: str) -> str:
    return set_variable(central, "NetworkConfigurationPriority", slots, "OCPPCommCtrlr")


def offer(central: Central, slot: int, url: str, profile: int, **more: Any) -> str:
    data = NETWORK | {"ocppCsmsUrl": url, "securityProfile": profile} | more
    return str(central.command("SetNetworkProfile", {"configurationSlot": slot, "connectionData": data})["status"])


def reboot(central: Central) -> Central:
    central.command("Reset", {"type": "Immediate"})
    assert central.run(1).closed == (1000, "rebooting")
    return central


def url(central: Central) -> str:
    return central.charger.security.access().url


def sent(central: Central) -> str | None:
    header = central.charger.security.access().authorization
    return None if header is None else b64decode(header.removeprefix("Basic ")).decode()


def requested(central: Central, what: str = "SignChargingStationCertificate") -> Any:
    """The SignCertificate that a trigger sets off."""
    central.names()
    assert central.command("TriggerMessage", {"requestedMessage": what}) == {"status": "Accepted"}
    central.run(0.1)
    (payload,) = central.payloads("SignCertificate")
    return payload


def certified(central: Central, what: str = "SignChargingStationCertificate", by: Made = CA) -> str:
    request = requested(central, what)
    echo = {"requestId": request["requestId"]} if "requestId" in request else {}
    return str(central.command("CertificateSigned", {"certificateChain": sign(request["csr"], by)} | echo)["status"])


# the password and what can be read


def test_a_new_password_is_used_at_once_and_never_reported(central: Central) -> None:
    assert (
        set_variable(central, "BasicAuthPassword", "fifteen symbols") == set_variable(central, "BasicAuthPassword", "x" * 65) == "Rejected"
    )
    assert central.closed is None and sent(central) == f"CP1:{OLD}"
    assert set_variable(central, "BasicAuthPassword", NEW) == "Accepted" and central.closed == (1000, "reconnecting")
    assert sent(central) == f"CP1:{NEW}" and variable(central.connect(), "BasicAuthPassword") is None


@pytest.mark.parametrize(
    ("quirk", "now"), [(Quirk("RebootRequired"), OLD), (Quirk(effect=Effect.NEVER), OLD), (Quirk(NO_ANSWER), NEW), (Quirk("Rejected"), OLD)]
)
def test_chargers_that_take_a_new_password_otherwise(central: Central, quirk: Quirk, now: str) -> None:
    central.charger.security.quirks["BasicAuthPassword"] = quirk
    wanted = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}, "attributeValue": NEW}
    central.deliver([2, "p", "SetVariables", {"setVariableData": [wanted]}])
    answer = central.responses.get("p")
    assert (None if answer is None else answer[2]["setVariableResult"][0]["attributeStatus"]) == (
        None if quirk.answer == NO_ANSWER else quirk.answer
    )
    assert sent(central) == f"CP1:{now}"


def test_the_variables_of_security_can_be_read_but_not_all_set(central: Central) -> None:
    central.command("InstallCertificate", ROOT)
    read = {name: variable(central, name) for name in ("Identity", "SecurityProfile", "CertificateEntries", "OrganizationName")}
    assert read == {"Identity": "CP1", "SecurityProfile": "1", "CertificateEntries": "1", "OrganizationName": "ocpp_tw"}
    assert set_variable(central, "SecurityProfile", "2") == set_variable(central, "Identity", "CP2") == "Rejected"
    assert set_variable(central, "OrganizationName", "Operator") == "Accepted"
    assert variable(central, "ActiveNetworkProfile", "OCPPCommCtrlr") == "0"


# networks


@pytest.mark.parametrize(
    ("slot", "address", "profile", "more"),
    [
        (4, "wss://two/", 2, {}),
        (-1, "wss://two/", 2, {}),
        (1, "wss://two/", 4, {}),
        (1, "ws://two/", 0, {}),  # lower than now
        (1, "ws://two/", 2, {}),
        (1, "wss://two/", 1, {}),
        (1, "https://two/", 2, {}),
        (1, "wss://[two/", 2, {}),
        (1, "", 1, {}),
        (1, "wss://two/", 2, {"ocppTransport": "SOAP"}),
    ],
)
def test_a_network_profile_that_cannot_work_is_rejected(central: Central, slot: int, address: str, profile: int, more: Any) -> None:
    assert offer(central, slot, address, profile, **more) == "Rejected" and prioritize(central, str(slot)) == "Rejected"


def test_a_charger_moves_to_another_network_when_it_reboots(central: Central) -> None:
    assert prioritize(central, "1,0") == "Rejected"
    assert offer(central, 1, "wss://two/ocpp/", 2) == "Accepted"
    assert prioritize(central, "1,0") == "Rejected"  # no root certificate (A05.FR.02)
    central.command("InstallCertificate", ROOT)
    assert prioritize(central, "1, 0") == "Accepted" and central.closed is None and url(central) == "ws://one/ocpp/CP1"
    assert url(reboot(central)) == "wss://two/ocpp/CP1" and sent(central) == f"CP1:{OLD}"
    central.connect()
    assert variable(central, "SecurityProfile") == "2" and variable(central, "ActiveNetworkProfile", "OCPPCommCtrlr") == "1"
    assert variable(central, "NetworkConfigurationPriority", "OCPPCommCtrlr") == "1"  # the lower one is gone (A05.FR.06)
    assert prioritize(central, "1,0") == offer(central, 0, "ws://one/ocpp", 1) == "Rejected"
    central.disconnect()
    assert url(central) == "wss://two/ocpp/CP1"


def test_profile_3_needs_a_certificate_of_the_chargers_own(central: Central) -> None:
    central.command("InstallCertificate", ROOT)
    assert offer(central, 2, "wss://three/", 3) == "Accepted" and prioritize(central, "2") == "Rejected"  # A05.FR.03
    assert certified(central) == "Accepted" and central.closed is None and prioritize(central, "2") == "Accepted"
    access = reboot(central).charger.security.access()
    assert (access.url, access.authorization) == ("wss://three/CP1", None)
    assert access.tls is not None and access.tls.own is not None and access.tls.roots == (ROOT["certificate"],)
    assert variable(central.connect(), "SecurityProfile") == "3"
    assert certified(central) == "Accepted" and central.closed == (1000, "reconnecting")  # A02.FR.08


def test_networks_that_do_not_work_are_given_up_one_after_another(central: Central) -> None:
    assert offer(central, 1, "ws://two/", 1) == offer(central, 2, "ws://three/", 1) == "Accepted"
    assert set_variable(central, "NetworkProfileConnectionAttempts", "2", "OCPPCommCtrlr") == "Accepted"
    assert prioritize(central, "1,2") == "Accepted"
    reboot(central)
    tried = []
    for _ in range(6):
        tried.append(url(central))
        central.charger.connect_failed(None)
    assert tried == ["ws://two/CP1"] * 2 + ["ws://three/CP1"] * 2 + ["ws://one/ocpp/CP1"] * 2  # B10.FR.03, .07
    assert variable(central.connect(), "ActiveNetworkProfile", "OCPPCommCtrlr") == "0"


def test_in_2_1_a_network_may_have_an_identity_and_a_password_of_its_own() -> None:
    central = station(V21)
    assert offer(central, 1, "ws://two/", 1, identity="CP:1") == offer(central, 1, "ws://two/", 1, basicAuthPassword="short") == "Rejected"
    assert (
        offer(central, 1, "ws://two/", 1, identity="CP-TWO", basicAuthPassword=NEW) == "Accepted"
        and prioritize(central, "1,0") == "Accepted"
    )
    assert sent(central) == f"CP1:{OLD}"
    assert (url(reboot(central)), sent(central)) == ("ws://two/CP-TWO", f"CP-TWO:{NEW}")
    assert variable(central.connect(), "Identity") == "CP-TWO"
    assert set_variable(central, "BasicAuthPassword", OLD) == "Accepted" and sent(central) == f"CP-TWO:{OLD}"
    central.shut_down()


# certificates


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("SignChargingStationCertificate", "ChargingStationCertificate"),
        ("SignV2GCertificate", "V2GCertificate"),
        ("SignCombinedCertificate", None),
    ],
)
def test_a_trigger_requests_a_certificate_for_its_use(central: Central, what: str, kind: str | None) -> None:
    set_variable(central, "OrganizationName", "Operator")
    payload = requested(central, what)
    assert payload.get("certificateType") == kind and ("requestId" in payload) is (central.charger.ocpp == "2.1")
    assert subject(payload["csr"]) == {"commonName": "SIM-CP1", "organizationName": "Operator"}
    assert central.command("CertificateSigned", {"certificateChain": sign(payload["csr"], CA)}) == {"status": "Accepted"}
    assert bool(central.charger.security.own.all()) is (kind != "V2GCertificate")


def test_a_certificate_is_judged_by_the_roots_for_its_use(central: Central) -> None:
    central.command("InstallCertificate", ROOT)
    other = Made("v2g")
    assert certified(central, "SignV2GCertificate", other) == "Accepted"  # there is no V2G root yet
    assert certified(central, "SignChargingStationCertificate", other) == "Rejected"
    central.run(0.1)
    assert [each["type"] for each in central.payloads("SecurityEventNotification")] == ["InvalidChargingStationCertificate"]
    central.command("InstallCertificate", {"certificateType": "V2GRootCertificate", "certificate": other.certificate.decode()})
    assert certified(central, "SignV2GCertificate", CA) == certified(central, "SignCombinedCertificate", CA) == "Rejected"
    assert certified(central, "SignV2GCertificate", other) == "Accepted"
    central.run(1)


def test_in_2_1_a_certificate_is_for_the_request_that_it_names() -> None:
    central = station(V21)
    first, second = requested(central), requested(central, "SignV2G20Certificate")
    assert second["certificateType"] == "V2G20Certificate"

    def signed(csr: str, id: int) -> str:
        return str(central.command("CertificateSigned", {"certificateChain": sign(csr, CA), "requestId": id})["status"])

    assert signed(first["csr"], 77) == signed(first["csr"], second["requestId"]) == "Rejected"
    assert signed(second["csr"], second["requestId"]) == signed(first["csr"], first["requestId"]) == "Accepted"
    central.run(1)
    central.shut_down()


def test_a_request_is_repeated_until_its_certificate_comes(central: Central) -> None:
    assert set_variable(central, "CertSigningWaitMinimum", "100") == set_variable(central, "CertSigningRepeatTimes", "2") == "Accepted"
    csr = requested(central)["csr"]
    assert [len(central.run(seconds).payloads("SignCertificate")) for seconds in (99, 2, 197, 2, 1000)] == [0, 1, 0, 1, 0]
    other = requested(central)["csr"]
    assert other != csr and certified(central) == "Accepted" and central.command("CertificateSigned", {"certificateChain": "x"})
    assert central.run(1000).payloads("SignCertificate") == []
    central.answers["SignCertificate"] = {"status": "Rejected"}
    requested(central)
    assert central.run(1000).payloads("SignCertificate") == []


def test_a_new_certificate_that_does_not_work_is_discarded(central: Central) -> None:
    central.command("InstallCertificate", ROOT)
    own = central.charger.security.own
    assert certified(central) == offer(central, 0, "wss://one/", 3) == prioritize(central, "0") == "Accepted"
    reboot(central).connect()
    (first,) = own.all()
    assert certified(central) == "Accepted" and own.all()[1:] == [first]
    for _ in range(3):
        central.charger.connect_failed(None)
    central.names()
    central.connect()
    assert own.all() == [first]
    told = [each["type"] for each in central.payloads("SecurityEventNotification")]
    assert told == (["DiscardedRenewedClientCertificate"] if central.charger.ocpp == "2.1" else [])
    assert certified(central) == "Accepted"
    central.connect()
    assert first not in own.all() and central.payloads("SecurityEventNotification") == []


def test_a_charger_that_did_not_trust_the_central_system_says_so_once_it_is_connected(central: Central) -> None:
    central.disconnect()
    for _ in range(2):
        central.charger.connect_failed("certificate verify failed")
    central.connect()
    assert [each["type"] for each in central.payloads("SecurityEventNotification")] == ["InvalidCsmsCertificate"]
