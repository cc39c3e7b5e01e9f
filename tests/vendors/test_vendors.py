"""DataTransfer: each vendor's goes to its plugin, and Plug & Charge with 1.6 is served as 2.0.1 is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ocpp_tw.backend.static import StaticBackend
from ocpp_tw.facts import Authorization, DataTransfer, DataTransferResult
from ocpp_tw.handlers import Handlers
from ocpp_tw.interfaces import IVendor
from ocpp_tw.ocpp.v2 import V201
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway
from ocpp_tw.vendors.plug_and_charge import PlugAndCharge
from ocpp_tw.vendors.table import Vendors

ROOT = Path(__file__).parents[2]
PNC = "org.openchargealliance.iso15118pnc"
SETTINGS = Settings(
    name="gw",
    base_url="http://b",
    authorize="backend",
    backend_actions=("Authorize", "Get15118EVCertificate", "GetCertificateStatus", "SignCertificate"),
)
HASH = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "a",
    "issuerKeyHash": "b",
    "serialNumber": "1",
    "responderURL": "http://ocsp.example.com",
}
AUTHORIZE = {"idToken": {"idToken": "DE*ABC*1", "type": "eMAID"}, "iso15118CertificateHashData": [HASH]}
MESSAGES = {
    "Authorize": AUTHORIZE,
    "Get15118EVCertificate": {"iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef", "action": "Install", "exiRequest": "AAA="},
    "GetCertificateStatus": {"ocspRequestData": HASH},
    "SignCertificate": {"csr": "-----BEGIN CERTIFICATE REQUEST-----", "certificateType": "V2GCertificate"},
}


@implementer(IVendor)
class Echo:
    def __init__(self, vendor_id: Any = "com.example", mark: str = "") -> None:
        self.vendor_id = vendor_id
        self.mark = mark

    def data_transfer(self, charger: Any, fact: DataTransfer) -> DataTransferResult:
        return DataTransferResult("Accepted", f"{self.mark}{fact.data}")


# the table


def test_each_vendors_data_goes_to_its_own():
    vendors = Vendors([Echo("a", "1"), Echo("b", "2")])
    assert vendors.data_transfer(None, DataTransfer("b", data="x")) == DataTransferResult("Accepted", "2x")
    assert "a" in vendors and "A" not in vendors


def test_the_later_of_two_for_one_vendor_counts():
    assert Vendors([Echo("a", "1"), Echo("a", "2")]).data_transfer(None, DataTransfer("a", data="x")).data == "2x"


@implementer(IVendor)
class Half:
    vendor_id = "half"


def test_a_broken_plugin_is_left_out_and_said_so(caplog):
    vendors = Vendors([Half(), Echo(5), Echo(""), object(), Echo("good")])  # type: ignore[list-item]
    assert "good" in vendors
    assert "half" not in vendors and "" not in vendors


# the documents' example


def test_the_example_of_the_documents_works(tmp_path):
    """And a module that cannot be imported is skipped."""
    document = (ROOT / "docs/extending.md").read_text()
    example = next(code for code in re.findall(r"```python\n(.*?)```", document, re.DOTALL) if "IVendor" in code)
    plugins = tmp_path / "twisted/plugins"
    plugins.mkdir(parents=True)
    (plugins / "my_vendor.py").write_text(example)
    (plugins / "broken_vendor.py").write_text("import nothing_of_that_name\n")
    program = """
from ocpp_tw.facts import DataTransfer
from ocpp_tw.handlers import Handlers
from ocpp_tw.settings import Settings
handlers = Handlers(Settings())
print(handlers.data_transfer(None, DataTransfer("com.example", "Price", None)))
print(handlers.data_transfer(None, DataTransfer("com.example", "?", None)))
print(handlers.data_transfer(None, DataTransfer("com.example.other")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": f"{tmp_path}:{ROOT}"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "DataTransferResult(status='Accepted', data='{\"price\":\"0.42\"}')",
        "DataTransferResult(status='UnknownMessageId', data=None)",
        "DataTransferResult(status='Accepted', data=None)",
    ], done.stderr


# Plug & Charge


@pytest.fixture
def backend() -> StaticBackend:
    return StaticBackend(tags={"DE*ABC*1": Authorization(parent_tag="family", expiry_date="2027-01-01T00:00:00Z")})


@pytest.fixture
def home(backend: StaticBackend) -> InMemoryGateway:
    return InMemoryGateway(SETTINGS, backend=backend)


def transfers(home: InMemoryGateway, action: str | None, message: Any) -> dict[str, Any]:
    """What a charger is answered; with its data read."""
    guest = home.connect()
    guest.frames()
    data = message if isinstance(message, str) else json.dumps(message)
    payload = {"vendorId": PNC, "data": data} | ({"messageId": action} if action else {})
    answer = guest.call("DataTransfer", payload)
    if "data" in answer:
        answer["data"] = json.loads(answer["data"])
        if isinstance(message.get("idToken"), dict) or action != "Authorize":
            assert V201.schemas.valid_answer[action](answer["data"])
    return answer


def test_it_is_a_vendor(home):
    assert verifyObject(IVendor, PlugAndCharge(Handlers(Settings())))


def test_a_contract_is_authorized_as_in_2x(home, backend):
    """C07.FR.04; of the certificate nothing is said that nobody has looked at."""
    info = {
        "status": "Accepted",
        "cacheExpiryDateTime": "2027-01-01T00:00:00Z",
        "groupIdToken": {"idToken": "family", "type": "Central"},
    }
    assert transfers(home, "Authorize", AUTHORIZE) == {"status": "Accepted", "data": {"idTokenInfo": info}}
    assert backend.asked[0] == ("authorize", "DE*ABC*1", "cp1", None, "eMAID")
    assert backend.asked[1][:4] == ("answer", "cp1", "1.6", "Authorize")
    assert json.loads(backend.asked[1][4]) == AUTHORIZE
    events = home.published()
    assert [event["event"] for event in events] == ["connect_charger", "data_transfer"]
    assert events[1]["data"]["message_id"] == "Authorize"


def test_an_unknown_contract_is_refused(home):
    message = {"idToken": {"idToken": "other", "type": "eMAID"}}
    assert transfers(home, "Authorize", message)["data"] == {"idTokenInfo": {"status": "Invalid"}}


@pytest.mark.parametrize(
    ("certificate", "status"),
    [
        ("Accepted", "Accepted"),
        ("ContractCancelled", "Accepted"),
        ("CertificateExpired", "Expired"),
        ("CertificateRevoked", "Invalid"),
        ("CertChainError", "Invalid"),
    ],
)
def test_the_backend_speaks_for_the_certificate(home, backend, certificate, status):
    """C07.FR.14 to 17: with a certificate that is no good, neither is the tag."""
    backend.answers["Authorize"] = {"certificateStatus": certificate}
    data = transfers(home, "Authorize", AUTHORIZE)["data"]
    assert (data["certificateStatus"], data["idTokenInfo"]["status"]) == (certificate, status)


def test_the_short_form_of_the_token(home, backend):
    """The note's tables have an identifierString as idToken, and 1.6's IdTagInfo in the answer."""
    backend.tags["other"] = Authorization("NoCredit")
    info = {"status": "Accepted", "expiryDate": "2027-01-01T00:00:00Z", "parentIdTag": "family"}
    assert transfers(home, "Authorize", {"idToken": "DE*ABC*1"})["data"] == {"idTokenInfo": info}
    assert transfers(home, "Authorize", {"idToken": "other"})["data"] == {"idTokenInfo": {"status": "Invalid"}}
    assert backend.asked[0] == ("authorize", "DE*ABC*1", "cp1", None, "eMAID")


OWN = {
    "Get15118EVCertificate": {"status": "Failed", "exiResponse": ""},
    "GetCertificateStatus": {"status": "Failed"},
    "SignCertificate": {"status": "Rejected"},
}


@pytest.mark.parametrize("action", OWN)
def test_without_a_pki_the_answer_is_no(home, backend, action):
    """S9, S15."""
    assert transfers(home, action, MESSAGES[action]) == {"status": "Accepted", "data": OWN[action]}
    backend.fail()
    assert transfers(home, action, MESSAGES[action]) == {"status": "Accepted", "data": OWN[action]}


@pytest.mark.parametrize(
    ("action", "members"),
    [
        ("Get15118EVCertificate", {"status": "Accepted", "exiResponse": "AAAA"}),
        ("GetCertificateStatus", {"status": "Accepted", "ocspResult": "AAAA"}),
        ("SignCertificate", {"status": "Accepted"}),
    ],
)
def test_the_backends_pki_answers(home, backend, action, members):
    backend.answers[action] = members
    assert transfers(home, action, MESSAGES[action])["data"] == members
    assert json.loads(backend.asked[0][4]) == MESSAGES[action]


@pytest.mark.parametrize("members", [{"status": "Perhaps"}, {"exiResponse": 5}, {"more": 1}])
def test_what_is_no_answer_of_ocpps_is_not_sent(home, backend, members):
    backend.answers["Get15118EVCertificate"] = members
    assert transfers(home, "Get15118EVCertificate", MESSAGES["Get15118EVCertificate"])["data"] == OWN["Get15118EVCertificate"]


@pytest.mark.parametrize("action", [None, "authorize", "CertificateSigned", "TriggerMessage"])
def test_another_message_is_unknown(home, action):
    """What only the central system sends is unknown too."""
    assert transfers(home, action, AUTHORIZE) == {"status": "UnknownMessageId"}


BAD = ["", "{", "[]", "null", '"x"', "{}", '{"idToken": null}', '{"idToken": ""}', '{"idToken": {}}', '{"idToken": {"idToken": ""}}', '{"idToken": {"idToken": 5}}', "[" * 5000]  # fmt: skip


@pytest.mark.parametrize("data", BAD)
def test_what_cannot_be_read_is_rejected(home, backend, data):
    """R19: a status, and no error."""
    for action in MESSAGES:
        assert transfers(home, action, data) == {"status": "Rejected"}
    assert backend.asked == []


@pytest.mark.parametrize("more", ["[" + "[]," * 110_000 + "1]", "[" * 200 + "]" * 200, "[" + "9" * 4000 + ",1" * 10 + "]"])
def test_what_is_too_much_is_so_within_a_vendors_text(home, more):
    assert transfers(home, "SignCertificate", f'{{"csr":"x","more":{more}}}') == {"status": "Rejected"}


def test_an_object_in_the_texts_place_is_read_all_the_same(home):
    guest = home.connect()
    answer = guest.call("DataTransfer", {"vendorId": PNC, "messageId": "Authorize", "data": AUTHORIZE})
    assert json.loads(answer["data"])["idTokenInfo"]["status"] == "Accepted"


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(action=st.sampled_from(sorted(MESSAGES)), member=st.sampled_from(["idToken", "exiRequest", "ocspRequestData", "csr"]), value=JSON)
def test_whatever_comes_there_is_an_answer(action, member, value):
    """Always one of OCPP's statuses; never an exception."""
    got: list[Any] = []
    transfer = PlugAndCharge(Handlers(Settings())).data_transfer(None, DataTransfer(PNC, action, json.dumps({member: value})))
    Deferred.fromCoroutine(transfer).addBoth(got.append)
    assert got[0].status in ("Accepted", "Rejected")
