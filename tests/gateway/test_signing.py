"""Chargers get certificates of the gateway's own authority, come in with them, and renew them; nobody gets one for another charger."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.internet.task import Clock

from certificates import Made
from ocpp_tw.core.authority import Authority, fingerprint, make, owner
from ocpp_tw.core.entries import FLEET, GUARDED, SECURITY
from ocpp_tw.core.issued import fingerprints
from ocpp_tw.gateway.signing import RATE
from ocpp_tw.interfaces import HandshakeRefused, HandshakeRequest
from ocpp_tw.memory import MemoryWire
from ocpp_tw.settings import Settings
from ocpp_tw.simulator.quirks import NO_ANSWER, Quirk
from ocpp_tw.testing import InMemoryGateway
from played import Played, seen
from simulator.authority import sign

PASSWORD = "a password from the factory"
VERSIONS = ["1.6", "2.0.1", "2.1"]
ROOT, KEY = make("Charging stations CA", "Operator", time.time())


def authority(days: int = 365) -> Authority:
    return Authority(load_pem_private_key(KEY.encode(), None), [x509.load_pem_x509_certificate(ROOT.encode())], days, time.time)  # type: ignore[arg-type]


class Signed:
    """A gateway with an authority, and one charger with a password over TLS, which trusts it."""

    def __init__(self, ocpp: str = "1.6", days: int = 365, profile: int = 2, signs: bool = True, **settings: Any) -> None:
        self.here = InMemoryGateway(Settings(name="gw", **settings), authority=authority(days) if signs else None)
        self.here.application.start()
        stored = self.here.gateway.passwords.stored(PASSWORD.encode())
        self.put(registered="yes", password=stored)
        url = "wss://csms/" if profile >= 2 else "ws://csms/"
        self.charger = Played(self.here, ocpp, url=url, profile=profile, password=PASSWORD.encode() if profile else None, roots=(ROOT,))
        self.events: list[dict[str, Any]] = []

    def put(self, **fields: str) -> None:
        self.here.store.tables[FLEET, SECURITY][GUARDED] = b"yes"
        for name, value in fields.items():
            self.here.store.tables["record", "cp1"][name] = value.encode()

    def trigger(self) -> None:
        """Somebody has the charger ask for a certificate."""
        if self.charger.ocpp == "1.6":
            self.charger.client.charger.call("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})
        else:
            self.charger.client.charger.call("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"})
        self.charger.run(3)

    def asks(self, csr: str, **more: Any) -> str:
        """The status for a request of a charger that is not as others."""
        answers: list[Any] = []
        self.charger.receive = lambda text: answers.append(text)
        before = len(self.charger.wire.sent)
        self.charger.client.send_call("SignCertificate", {"csr": csr, **more})
        self.charger.run(1)
        frames = [x for x in self.charger.client.frames() if x[0] == 3]
        assert before < len(self.charger.wire.sent)
        return str(frames[-1][2]["status"])

    def goes_to_profile_3(self) -> None:
        security = self.charger.simulated.security
        security._established = security._established._replace(profile=3, url="wss://csms/")
        self.charger.reconnect()

    def told(self, kind: str) -> list[str]:
        self.events += self.here.published()
        found = [each["data"] for each in self.events if each["event"] == "security_event"]
        return [each["detail"] for each in found if each["kind"] == kind]

    @property
    def shown(self) -> Any:
        """The certificate that the charger has shown last."""
        return self.charger.client.charger.certificate

    @property
    def issued(self) -> list[str]:
        return fingerprints(self.here.register.find("cp1").issued)

    def finish(self) -> None:
        self.charger.simulated.shut_down()
        self.here.application.stop()


@pytest.fixture(params=VERSIONS)
def signed(request):
    made = Signed(request.param)
    yield made
    made.finish()


def request(name: str = "cp1", key: Any = None, organization: str = "", names: tuple[str, ...] = (), hash: Any = None) -> str:
    key = key or ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, each) for each in ((name,) if name else ()) + names]
    attributes += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    built = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hash or hashes.SHA256()
    return built.sign(key, algorithm).public_bytes(Encoding.PEM).decode()


# the ordinary way


def test_a_charger_gets_a_certificate_and_comes_in_with_it_whatever_name_it_has(signed):
    """A02, A03: its common name is the serial number that the charger reports (A00.FR.405)."""
    signed.trigger()
    (issued,) = signed.told("certificate_issued")
    assert signed.told("certificate_confirmed") == [] and signed.told("certificate_refused") == []
    signed.goes_to_profile_3()
    assert signed.charger.profiles[-1] == 3 and signed.charger.refusals == []
    assert signed.shown.common_name == "SIM-cp1" and f"SHA-256 {signed.shown.fingerprint}" == issued
    assert signed.told("certificate_confirmed") == [issued]
    signed.charger.reconnect()
    assert signed.told("certificate_confirmed") == [issued] and signed.charger.profiles[-1] == 3


def test_a_renewal_is_used_at_once_and_the_former_one_is_good_until_it_works(signed):
    signed.trigger()
    signed.goes_to_profile_3()
    first = signed.shown.fingerprint
    signed.trigger()
    assert signed.shown.fingerprint != first and signed.issued == [first, signed.shown.fingerprint]
    assert len(signed.told("certificate_confirmed")) == 2 and signed.charger.refusals == []


def test_what_is_issued_is_a_certificate_for_a_client_and_for_that_charger_alone(signed):
    signed.trigger()
    security = signed.charger.simulated.security
    (found,) = x509.load_pem_x509_certificates(security.own.all()[0].chain.encode())  # without the root
    found.verify_directly_issued_by(x509.load_pem_x509_certificate(ROOT.encode()))
    values = {type(each.value): each.value for each in found.extensions}
    assert not values[x509.BasicConstraints].ca and values[x509.KeyUsage].digital_signature and not values[x509.KeyUsage].key_cert_sign
    assert list(values[x509.ExtendedKeyUsage]) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert values[x509.SubjectAlternativeName].get_values_for_type(x509.UniformResourceIdentifier) == [owner("cp1")]
    days = (found.not_valid_after_utc - found.not_valid_before_utc).total_seconds() / 86_400
    assert 365 <= days < 365.1


def test_the_certificate_follows_the_answer(signed):
    signed.trigger()
    sent = [each for each in signed.charger.client.frames() if each[0] == 3 or each[2] == "CertificateSigned"]
    assert [each[0] for each in sent[-2:]] == [3, 2]
    assert (sent[-1][3].get("requestId") is not None) == (signed.charger.ocpp == "2.1")


def test_the_certificate_moves_that_an_operator_has_set_as_the_only_one():
    signed = Signed()
    signed.trigger()
    signed.goes_to_profile_3()
    signed.put(certificate=signed.shown.fingerprint)
    signed.trigger()
    assert signed.charger.profiles[-1] == 3 and signed.charger.refusals == []
    assert signed.here.register.find("cp1").certificate == signed.shown.fingerprint
    signed.finish()


# what is not signed


@pytest.mark.parametrize(
    ("csr", "why"),
    [
        ("", "cannot be read"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----", "cannot be read"),
        (ROOT, "cannot be read"),
        (request("cp2"), "common name cp2 is neither"),
        (request(""), "no common name"),
        (request("cp1", names=("cp1",)), "no common name, or more than one"),
        (request(key=rsa.generate_private_key(65537, 1024)), "RSA key has 1024 bits"),
        (request(key=ec.generate_private_key(ec.SECP224R1())), "on the curve secp224r1"),
        (request(key=ec.generate_private_key(ec.SECP256K1())), "on the curve secp256k1"),
        (request(key=ed25519.Ed25519PrivateKey.generate()), "neither RSA nor EC"),
    ],
)
def test_a_request_that_is_not_as_it_has_to_be_is_refused_and_told(csr, why, said):
    signed = Signed()
    assert signed.asks(csr) == "Rejected"
    assert why in signed.told("certificate_refused")[0] and signed.issued == []
    assert any("signing request of cp1 refused" in line for line in said)
    signed.finish()


def test_a_request_whose_signature_is_not_of_its_key_is_refused():
    """Whoever has not the private key gets no certificate of it."""
    signed = Signed()
    der = bytearray(x509.load_pem_x509_csr(request().encode()).public_bytes(Encoding.DER))
    other = bytearray(x509.load_pem_x509_csr(request().encode()).public_bytes(Encoding.DER))
    place = der.index(b"cp1")
    assert other.index(b"cp1") == place
    key = slice(place + 3, place + 3 + 91)
    der[key] = other[key]
    forged = "-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(bytes(der)).decode() + "-----END CERTIFICATE REQUEST-----\n"
    assert signed.asks(forged) == "Rejected"
    assert "signature" in signed.told("certificate_refused")[0] or "cannot be read" in signed.told("certificate_refused")[0]
    signed.finish()


@pytest.mark.parametrize("key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())])
@pytest.mark.parametrize("name", ["cp1", "CP1", "SIM-cp1"])
def test_other_keys_and_names_are_signed(key, name):
    signed = Signed()
    assert signed.asks(request(name, key)) == "Accepted"
    signed.finish()


@pytest.mark.parametrize(("organization", "status"), [("Operator", "Accepted"), ("operator", "Rejected"), ("", "Rejected")])
def test_the_organization_has_to_be_that_of_the_settings(organization, status):
    signed = Signed(client_organization="Operator")
    assert signed.asks(request(organization=organization)) == status
    signed.finish()


def test_a_charger_that_has_not_authenticated_gets_none():
    """Or anybody could have a certificate of any charger."""
    signed = Signed(profile=1)
    signed.here.store.tables["record", "cp1"].clear()
    security = signed.charger.simulated.security
    security._established = security._established._replace(profile=0)
    signed.charger.reconnect()
    assert signed.charger.profiles[-1] == 0 and signed.asks(request()) == "Rejected"
    assert "has not authenticated" in signed.told("certificate_refused")[0]
    signed.finish()


def test_a_charger_that_reports_anothers_identity_as_its_serial_number_does_not_become_that_charger():
    signed = Signed()
    signed.charger.client.send_call(
        "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M", "chargePointSerialNumber": "cp2"}
    )
    key = ec.generate_private_key(ec.SECP256R1())
    assert signed.asks(request("cp2", key)) == "Accepted"
    signed.charger.run(1)
    sent = [each for each in map(json.loads, signed.charger.wire.sent) if each[0] == 2 and each[2] == "CertificateSigned"]
    certificate = seen(sent[-1][3]["certificateChain"])
    assert certificate.common_name == "cp2"
    with pytest.raises(HandshakeRefused) as why:
        signed.here.gateway.admit(
            HandshakeRequest("cp2", "csms", "10.0.0.1", ("ocpp1.6",), tls=True, certificate=certificate), MemoryWire()
        )
    assert why.value.status == 403
    signed.finish()


def test_one_that_asks_again_and_again_is_refused_in_the_end():
    signed = Signed()
    statuses = [signed.asks(request()) for _ in range(RATE.burst + 2)]
    assert statuses == ["Accepted"] * RATE.burst + ["Rejected"] * 2
    assert "as many certificates as it may" in signed.told("certificate_refused")[0] and len(signed.issued) <= 4
    signed.finish()


@pytest.mark.parametrize("kind", ["V2GCertificate", "V2G20Certificate"])
def test_a_certificate_for_cars_is_left_to_the_backend(kind):
    signed = Signed("2.1")
    assert signed.asks(request(), certificateType=kind) == "Rejected"  # there is no backend
    assert signed.told("certificate_refused") == [] and signed.issued == []
    signed.finish()


def test_without_an_authority_it_is_for_the_backend_to_answer():
    signed = Signed(signs=False)
    assert signed.asks(request()) == "Rejected" and signed.told("certificate_refused") == []
    signed.finish()


# what chargers do with it


def test_one_that_refuses_its_certificate_is_told_of_and_comes_in_as_before():
    signed = Signed()
    signed.charger.quirks["CertificateSigned"] = Quirk("Rejected")
    signed.trigger()
    assert signed.told("certificate_rejected") == ["Rejected"] and signed.told("certificate_issued") == [] and signed.issued == []
    signed.charger.reconnect()
    assert signed.charger.profiles[-1] == 2
    signed.finish()


def test_one_that_does_not_answer_may_have_it():
    signed = Signed()
    signed.charger.quirks["CertificateSigned"] = Quirk(NO_ANSWER)
    signed.trigger()
    assert len(signed.issued) == 1 and signed.told("certificate_issued") == []
    signed.goes_to_profile_3()
    assert signed.charger.profiles[-1] == 3 and len(signed.told("certificate_confirmed")) == 1
    signed.finish()


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (lambda call: [4, call[1], "NotImplemented", "", {}], 0),
        (lambda call: [4, call[1], "InternalError", "", {}], 1),
        (lambda call: [3, call[1], "Accepted"], 1),
        (lambda call: [3, call[1], {}], 1),
    ],
)
def test_one_whose_answer_does_not_say_may_have_it(answer, kept):
    signed = Signed()
    simulated = signed.charger.simulated

    def received(text: bytes) -> None:
        call = json.loads(text)
        if call[0] == 2 and call[2] == "CertificateSigned":
            signed.charger.client.send_text(json.dumps(answer(call)))
        else:
            simulated.received(text)

    signed.charger.receive = received
    signed.trigger()
    assert len(signed.issued) == kept and len(signed.told("certificate_rejected")) == 1 - kept
    signed.finish()


@pytest.mark.parametrize("id", ["CP1", "cp2", "cp1/", "cp%31"])
def test_it_is_of_no_use_to_another_charger_however_alike_its_name_is(id):
    signed = Signed()
    signed.trigger()
    certificate = seen(signed.charger.simulated.security.own.all()[0].chain)
    request_ = HandshakeRequest(id, "csms", "10.0.0.1", ("ocpp1.6",), tls=True, certificate=certificate)
    with pytest.raises(HandshakeRefused) as why:
        signed.here.gateway.admit(request_, MemoryWire())
    assert why.value.status == 403
    signed.finish()


def test_what_the_backend_has_signed_is_known_too():
    """By its fingerprint: its common name is a serial number, and it does not name the identity."""
    signed = Signed(signs=False)
    by = Made("backend's CA")
    signed.charger.simulated.certificates.install("CentralSystemRootCertificate", by.certificate.decode())
    requested: list[str] = []
    signed.here.push_command(cp_id="cp1", command="trigger_message", data={"message": "SignChargePointCertificate"}, id="u1")
    signed.charger.run(1)
    requested += [each["payload"]["csr"] for each in signed.here.published() if each["event"] == "sign_certificate"]
    chain = sign(requested[0], by)
    signed.here.push_command(cp_id="cp1", command="certificate_signed", data={"certificate_chain": chain}, id="u2")
    signed.charger.run(1)
    assert signed.issued == [fingerprint(chain)] and len(signed.told("certificate_issued")) == 1
    signed.goes_to_profile_3()
    assert signed.charger.profiles[-1] == 3 and signed.charger.refusals == []
    signed.finish()


# renewal


@pytest.mark.parametrize("ocpp", VERSIONS)
def test_a_certificate_that_is_about_to_expire_is_told_once_a_day_and_renewed(ocpp):
    signed = Signed(ocpp)
    signed.trigger()
    signed.goes_to_profile_3()
    first = signed.shown
    signed.here.application.renewals._now = lambda: first.expires - 29 * 86_400
    signed.here.application.renewals.look()
    signed.charger.run(3)
    (told,) = signed.told("certificate_expiring")
    assert first.fingerprint in told and signed.shown.fingerprint != first.fingerprint and signed.charger.profiles[-1] == 3
    signed.finish()


def test_without_an_authority_it_is_told_and_not_asked_for():
    signed = Signed()
    signed.trigger()
    signed.goes_to_profile_3()
    renewals = signed.here.application.renewals
    renewals._signs, renewals._now = False, lambda: signed.shown.expires - 3600
    first = signed.shown
    for hours, times in ((0, 1), (23, 1), (25, 2)):
        renewals._clock = Clock()
        renewals._clock.advance(signed.here.clock.seconds() + hours * 3600)
        renewals.look()
        assert len(signed.told("certificate_expiring")) == times
    signed.charger.run(1)
    assert signed.shown == first
    signed.finish()


def test_one_that_is_good_for_longer_is_not_told_of():
    signed = Signed()
    signed.trigger()
    signed.goes_to_profile_3()
    signed.here.application.renewals._now = lambda: signed.shown.expires - 31 * 86_400
    signed.here.application.renewals.look()
    assert signed.told("certificate_expiring") == []
    signed.finish()


# the roots that chargers trust


@pytest.mark.parametrize("ocpp", VERSIONS)
def test_the_root_is_installed_found_and_deleted_by_neutral_commands(ocpp):
    signed = Signed(ocpp)
    other, _ = make("Next CA", "", time.time())

    def command(name: str, data: Any) -> Any:
        signed.here.published()
        signed.here.push_command(cp_id="cp1", command=name, data=data, id=name[:8])
        signed.charger.run(1)
        return next(each["data"]["payload"] for each in signed.here.published() if each["event"] == "command_result")

    kind = "CentralSystemRootCertificate"
    assert command("install_certificate", {"type": kind, "certificate": other})["status"] == "Accepted"
    found = command("get_installed_certificate_ids", {"type": kind})
    hashes_of = found.get("certificateHashData") or [each["certificateHashData"] for each in found["certificateHashDataChain"]]
    assert len(hashes_of) == 2
    last = hashes_of[-1]
    named = {
        "hash_algorithm": "hashAlgorithm",
        "issuer_name_hash": "issuerNameHash",
        "issuer_key_hash": "issuerKeyHash",
        "serial_number": "serialNumber",
    }
    assert command("delete_certificate", {name: last[theirs] for name, theirs in named.items()})["status"] == "Accepted"
    signed.finish()
