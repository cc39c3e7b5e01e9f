"""The authority of --ca is read at the start, or the gateway says what is wrong with it; `ocpp-tw ca init` makes one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certificates import Made
from ocpp_tw.cli import main
from ocpp_tw.core.authority import Authority, owner
from ocpp_tw.core.signing_requests import NotSigned, read
from ocpp_tw.process.authority_files import authority_of
from ocpp_tw.settings import InvalidSetting, Settings
from ocpp_tw.websocket.pem_files import load


def written(file: Path, data: bytes, mode: int = 0o600) -> Settings:
    file.write_bytes(data)
    file.chmod(mode)
    return Settings(ca=str(file))


def test_what_ca_init_makes_can_be_used_and_only_its_owner_can_read_it(tmp_path, capsys):
    directory = tmp_path / "new" / "ca"
    assert main(["ca", "init", str(directory), "--organization", "Operator"]) == 0
    both, root = directory / "ca.pem", directory / "root.pem"
    assert str(both) in capsys.readouterr().out
    assert both.stat().st_mode & 0o777 == 0o600 and b"PRIVATE KEY" not in root.read_bytes()
    assert authority_of(Settings(ca=str(both))) is not None
    (certificate,) = load(both, both).chain
    assert certificate.subject.rfc4514_string() == "O=Operator,CN=Charging stations CA"
    assert 3640 < (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days < 3660


def test_ca_init_overwrites_nothing(tmp_path, capsys):
    assert main(["ca", "init", str(tmp_path)]) == 0
    before = (tmp_path / "ca.pem").read_bytes()
    assert main(["ca", "init", str(tmp_path)]) == 1
    assert "File exists" in capsys.readouterr().err and (tmp_path / "ca.pem").read_bytes() == before


def test_ca_init_says_what_is_wrong_with_a_name(tmp_path, capsys):
    assert main(["ca", "init", str(tmp_path / "x"), "--name", "x" * 100]) == 2
    assert "--name or --organization" in capsys.readouterr().err and not (tmp_path / "x").exists()


def test_without_ca_there_is_none():
    assert authority_of(Settings()) is None


@pytest.mark.parametrize(
    ("data", "mode", "why"),
    [
        (Made("a").pem, 0o640, "chmod 600"),
        (Made("a").pem, 0o604, "chmod 600"),
        (Made("a", authority=False).pem, 0o600, "is no authority"),
        (Made("a").certificate, 0o600, "holds no private key"),
        (Made("a").certificate + Made("b").key, 0o600, "does not belong to the first certificate"),
        (Made("a").certificate + Made("a").encrypted, 0o600, "is encrypted"),
        (b"", 0o600, "holds no certificate"),
    ],
)
def test_a_file_that_cannot_be_used_ends_the_start_with_what_is_wrong(tmp_path, data, mode, why):
    with pytest.raises(InvalidSetting, match=f"--ca: .*{why}") as raised:
        authority_of(written(tmp_path / "ca.pem", data, mode))
    assert "--tls" not in str(raised.value)


@pytest.mark.skipif(os.name != "posix", reason="there are no modes")
def test_a_file_that_is_not_there_ends_the_start(tmp_path):
    with pytest.raises(InvalidSetting, match=r"--ca: .*cannot be read"):
        authority_of(Settings(ca=str(tmp_path / "nothing.pem")))


def request() -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cp1")])
    built = x509.CertificateSigningRequestBuilder().subject_name(name)
    return built.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def test_an_authority_that_has_expired_signs_nothing():
    made = Made("a", begin=-20, days=10)
    authority = Authority(made.private, [made.made], 365, time.time)
    with pytest.raises(NotSigned, match="not valid at the moment"):
        authority.issue(read(request()), "cp1")


def test_nothing_that_is_issued_is_valid_for_longer_than_its_authority():
    made = Made("a", days=9)
    issued = Authority(made.private, [made.made], 365, time.time).issue(read(request()), "cp1")
    assert issued.expires == made.made.not_valid_after_utc.timestamp()


def test_those_between_it_and_the_root_go_with_the_certificate_and_the_root_does_not():
    root = Made("root")
    between = Made("between", issuer=root)
    issued = Authority(between.private, [between.made, root.made], 365, time.time).issue(read(request()), "cp1")
    assert issued.chain.count("BEGIN CERTIFICATE") == 2 and issued.chain.endswith(between.certificate.decode())


def test_an_identity_that_does_not_fit_into_a_certificate_gets_none():
    made = Made("a")
    with pytest.raises(NotSigned, match="too long"):
        Authority(made.private, [made.made], 365, time.time).issue(read(request()), "é" * 48)
    assert owner("a/b") == "urn:ocpp-tw:charger:a%2Fb"


def test_a_chain_that_no_message_can_have_is_not_sent():
    above = [Made(f"authority {number}") for number in range(20)]
    made = Made("a", issuer=above[0])
    chain = [made.made, *(Made(f"between {number}", issuer=each).made for number, each in enumerate(above))]
    with pytest.raises(NotSigned, match="more than 10000 characters"):
        Authority(made.private, chain, 365, time.time).issue(read(request()), "cp1")
