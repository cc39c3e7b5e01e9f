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
from twisted.internet.task import Clock

from certificates import Made
from ocpp_tw.cli import main
from ocpp_tw.core.authority import Authority, owner
from ocpp_tw.core.signing_requests import NotSigned, read
from ocpp_tw.process.authority_files import AuthorityFile
from ocpp_tw.settings import InvalidSetting, Settings
from ocpp_tw.watched import CHECK_INTERVAL
from ocpp_tw.websocket.pem_files import load


def opened(settings: Settings) -> AuthorityFile | None:
    return AuthorityFile.of(settings, Clock())


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
    assert opened(Settings(ca=str(both))) is not None
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
    assert opened(Settings()) is None


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
        opened(written(tmp_path / "ca.pem", data, mode))
    assert "--tls" not in str(raised.value)


@pytest.mark.skipif(os.name != "posix", reason="there are no modes")
def test_a_file_that_is_not_there_ends_the_start(tmp_path):
    with pytest.raises(InvalidSetting, match=r"--ca: .*cannot be read"):
        opened(Settings(ca=str(tmp_path / "nothing.pem")))


def request() -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cp1")])
    built = x509.CertificateSigningRequestBuilder().subject_name(name)
    return built.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM).decode()


# a file that changes


class Running:
    """A gateway's authority, whose file is looked at."""

    def __init__(self, file: Path) -> None:
        self.first, self.second = Made("first"), Made("second")
        self.file = file
        self.clock = Clock()
        found = AuthorityFile.of(written(file, self.first.pem), self.clock)
        assert found is not None
        self.watched = found
        found.start()

    def change(self, data: bytes, mode: int = 0o600) -> None:
        """As whoever takes care does, under another name first."""
        other = self.file.with_suffix(".new")
        written(other, data, mode)
        other.replace(self.file)
        self.clock.advance(CHECK_INTERVAL)

    @property
    def issuer(self) -> str:
        """Who issues what a charger asks for now, as the certificate says and its signature proves."""
        issued = x509.load_pem_x509_certificates(self.watched.authority.issue(read(request()), "cp1").chain.encode())[0]
        for made in (self.first, self.second):
            if issued.issuer == made.made.subject:
                issued.verify_directly_issued_by(made.made)
        return issued.issuer.rfc4514_string()


@pytest.fixture
def running(tmp_path):
    made = Running(tmp_path / "ca.pem")
    yield made
    made.watched.stop()


def test_a_new_authority_signs_without_a_restart(running, said):
    assert running.issuer == "CN=first"
    running.change(running.second.pem)
    assert running.issuer == "CN=second" and [each for each in said if "reloaded: valid until" in each]


def test_one_is_read_at_once_when_somebody_asks_for_it(running):
    written(running.file, running.second.pem)
    assert running.issuer == "CN=first"
    running.watched.reload()
    assert running.issuer == "CN=second"


@pytest.mark.parametrize(
    ("data", "mode", "why"),
    [
        (Made("a").pem, 0o640, "chmod 600"),
        (Made("a", authority=False).pem, 0o600, "is no authority"),
        (Made("a").certificate, 0o600, "holds no private key"),
        (Made("a").certificate + Made("b").key, 0o600, "does not belong to the first certificate"),
        (b"", 0o600, "holds no certificate"),
    ],
)
def test_a_new_file_that_cannot_be_used_leaves_the_one_in_use_and_says_so(tidy, running, said, data, mode, why):
    running.change(data, mode)
    (line,) = [each for each in said if "not reloaded" in each]
    assert "the one in use stays: --ca: " in line and why in line and "--tls" not in line
    assert "PRIVATE KEY-----" not in line and running.issuer == "CN=first"
    running.change(running.second.pem)
    assert running.issuer == "CN=second"


def test_a_file_that_is_taken_away_leaves_the_one_in_use(tidy, running, said):
    running.file.unlink()
    running.clock.advance(CHECK_INTERVAL)
    assert [each for each in said if "not reloaded" in each] and running.issuer == "CN=first"


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
