"""A charger's certificate is told to the gate with what is wrong with it; one that was not verified never looks as if it were."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import crypto
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

from certificates import Made, revocation_list
from ocpp_tw.interfaces import ClientCertificate
from ocpp_tw.read_settings import read
from ocpp_tw.settings import InvalidSetting
from ocpp_tw.watched import CHECK_INTERVAL
from ocpp_tw.websocket import client_certificates
from ocpp_tw.websocket.client_certificates import Authorities
from tls_peer import MADE, TlsPeer, TlsServer

ROOT, ELSEWHERE = Made("root"), Made("elsewhere")
MIDDLE = Made("middle", issuer=ROOT)


def charger(issuer: Made = ROOT, **more: Any) -> Made:
    usual = {"issuer": issuer, "authority": False, "names": {NameOID.ORGANIZATION_NAME: "Operator"}}
    return Made("cp1", **usual | more)


def for_what(*purposes: Any) -> tuple[Any, bool]:
    return x509.ExtendedKeyUsage(purposes), False


def usage(**allowed: bool) -> tuple[Any, bool]:
    every = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign"]
    return x509.KeyUsage(**dict.fromkeys([*every, "crl_sign", "encipher_only", "decipher_only"], False) | allowed), True


CHARGER = charger()
IN_TIME = revocation_list(ROOT)


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., str]:
    """Writes a file; it is another one each time."""

    def write(data: bytes, name: str = "ca.pem") -> str:
        new = tmp_path / "new"
        new.write_bytes(data)
        new.replace(tmp_path / name)
        return str(tmp_path / name)

    return write


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """The lines logged, with their levels."""
    lines: list[str] = []

    def watch(event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.info:
            lines.append(f"{event['log_level'].name}: {formatEvent(event)}")

    globalLogPublisher.addObserver(watch)
    yield lines
    globalLogPublisher.removeObserver(watch)


def judged(authorities: Authorities, made: Made, *others: Made) -> ClientCertificate:
    own, *more = [crypto.X509.from_cryptography(each.made) for each in (made, *others)]
    return authorities.judge(own, more)


@pytest.fixture
def server(tmp_path: Path, put: Callable[..., str]) -> Iterator[TlsServer]:
    """One that asks for certificates by ROOT, with a revocation list."""
    authorities = Authorities([put(ROOT.certificate)], [put(IN_TIME, "crl.pem")], Clock())
    made = TlsServer(tmp_path, authorities)
    yield made
    made.close()


def connect(server: TlsServer, tmp_path: Path, *shown: Made, version: Any = None, session: Any = None) -> TlsPeer:
    context = MADE.proving(*shown, file=tmp_path / "charger.pem") if shown else MADE.trust
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return server.connect_tls(context).connect_charger()


# what the gate is told


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_good_one_is_told_without_trouble(server: TlsServer, tmp_path: Path, version: ssl.TLSVersion) -> None:
    connect(server, tmp_path, CHARGER, version=version)
    (request,) = server.admissions.requests
    assert request.tls and request.certificate == ClientCertificate(
        "cp1", "Operator", (), sha256(CHARGER.made.public_bytes(Encoding.DER)).hexdigest(), CHARGER.made.not_valid_after_utc.timestamp()
    )


def test_a_charger_that_shows_none_is_let_in_to_be_judged(server: TlsServer, tmp_path: Path) -> None:
    connect(server, tmp_path)
    assert server.admissions.requests[0].tls and server.admissions.requests[0].certificate is None


def test_without_authorities_none_is_asked_for(tmp_path: Path) -> None:
    server = TlsServer(tmp_path)
    connect(server, tmp_path, CHARGER)
    assert server.admissions.requests[0].tls and server.admissions.requests[0].certificate is None
    server.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("made", "trouble"),
    [
        (charger(ELSEWHERE), "no trusted authority has issued it: CN=elsewhere is unknown"),
        (charger(None), "the certificate is self-signed"),  # type: ignore[arg-type]
        (charger(begin=-5, days=2), "the certificate has expired at "),
        (charger(begin=2), "the certificate is not valid before "),
        (charger(MIDDLE), "there is no revocation list of CN=middle"),
    ],
    ids=["unknown", "self-signed", "expired", "not yet", "without a list"],
)
def test_a_bad_one_does_not_end_the_handshake_but_is_told_with_its_trouble(
    server: TlsServer, tmp_path: Path, made: Made, trouble: str, version: ssl.TLSVersion
) -> None:
    """An alert would tell neither the charger nor us who it was and what is wrong."""
    connect(server, tmp_path, made, MIDDLE, version=version)
    told = server.admissions.requests[0].certificate
    assert told is not None and told.trouble.startswith(trouble) and told.common_name == "cp1"


def test_authorities_are_named_to_chargers_that_choose_by_them(server: TlsServer) -> None:
    names = server.certificate.serverConnectionForTLS(None).get_client_ca_list()
    assert [each.commonName for each in names] == ["root"]


# what is wrong


@pytest.mark.parametrize(
    ("made", "above", "trouble"),
    [
        (charger(MIDDLE), (MIDDLE,), ""),
        (charger(MIDDLE), (MIDDLE, ROOT), ""),
        (charger(MIDDLE), (ROOT, ELSEWHERE, MIDDLE), ""),
        (charger(MIDDLE), (), "no trusted authority has issued it: CN=middle is unknown"),
        (charger(Made("root")), (), "the certificate: certificate signature failure"),
        (Made("cp2", issuer=CHARGER), (CHARGER,), "its authority O=Operator,CN=cp1: invalid CA certificate"),
        (charger(old := Made("old", begin=-5, days=2, issuer=ROOT)), (old,), "its authority CN=old has expired at "),
        (ROOT, (), "it is an authority's own certificate"),
        (MIDDLE, (), "it is an authority's certificate (CA:TRUE)"),
        (charger(authority=True), (), "it is an authority's certificate (CA:TRUE)"),
        (charger(authority=True, extensions=[usage(digital_signature=True)]), (), "it is an authority's certificate (CA:TRUE)"),
        (CHARGER, (ELSEWHERE,) * 11, "more than 10 certificates were sent with it"),
        (charger(kind="1024"), (), "its RSA key has 1024 bits, not 2048"),
        (charger(weak := Made("weak", kind="1024", issuer=ROOT)), (weak,), "of its authority CN=weak: its RSA key has 1024 bits"),
        (charger(extensions=[for_what(ExtendedKeyUsageOID.SERVER_AUTH)]), (), "it is not for clients of TLS (extended key usage)"),
        (charger(extensions=[for_what(ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)]), (), ""),
        (charger(extensions=[usage(key_encipherment=True)]), (), "its key is not for signatures (key usage)"),
        (charger(extensions=[usage(digital_signature=True)]), (), ""),
        (charger(extensions=[usage(key_cert_sign=True)]), (), "its key is not for signatures (key usage)"),
        (charger(kind="2048"), (), ""),
        (charger(extensions=[(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"x"), True)]), (), "the certificate: unhandled crit"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_words(put: Any, made: Made, above: tuple[Made, ...], trouble: str) -> None:
    told = judged(Authorities([put(ROOT.certificate)], [], Clock()), made, *above).trouble
    assert told.startswith(trouble) and bool(told) == bool(trouble), told


@pytest.mark.skipif(not which("openssl"), reason="cryptography does not sign with SHA-1; the openssl command does, and is not installed")
def test_a_weak_signature_is_none(put: Any, tmp_path: Path) -> None:
    authority, key = put(ROOT.certificate), put(ROOT.key, "ca.key")
    asked = put(
        x509.CertificateSigningRequestBuilder()
        .subject_name(CHARGER.subject)
        .sign(CHARGER.private, hashes.SHA256())
        .public_bytes(Encoding.PEM),
        "csr.pem",
    )
    signing = ["openssl", "x509", "-req", "-sha1", "-days", "2", "-in", asked, "-CA", authority, "-CAkey", key, "-set_serial", "9"]
    made = x509.load_pem_x509_certificate(subprocess.run(signing, capture_output=True, check=True).stdout)
    told = Authorities([authority], [], Clock()).judge(crypto.X509.from_cryptography(made), ())
    assert told.trouble == "it is signed with sha1"


def test_its_names_are_told(put: Any) -> None:
    alternative = x509.SubjectAlternativeName([x509.DNSName("cp1.example"), x509.UniformResourceIdentifier("urn:cp:1")])
    made = charger()
    builder = x509.CertificateBuilder().issuer_name(ROOT.subject).public_key(made.private.public_key()).serial_number(7)
    builder = builder.not_valid_before(made.made.not_valid_before_utc).not_valid_after(made.made.not_valid_after_utc)
    twice = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each) for each in ("cp1", "cp2")])
    own = builder.subject_name(twice).add_extension(alternative, False).sign(ROOT.private, hashes.SHA256())
    told = Authorities([put(ROOT.certificate)], [], Clock()).judge(crypto.X509.from_cryptography(own), ())
    assert (told.common_name, told.names, told.trouble) == ("", ("cp1.example", "urn:cp:1"), "")  # two common names are none


@pytest.mark.parametrize("fails", ["verify", "unfit", "read"])
def test_what_cannot_be_verified_has_a_trouble(put: Any, monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    """Whatever may fail inside."""
    authorities = Authorities([put(ROOT.certificate)], [], Clock())

    def fail(*arguments: Any) -> Any:
        raise RuntimeError("as if")

    if fails == "verify":
        monkeypatch.setattr(crypto.X509StoreContext, "get_verified_chain", fail)
    elif fails == "unfit":
        monkeypatch.setattr(client_certificates, "STRONG_HASHES", None)
    else:
        monkeypatch.setattr(client_certificates.x509, "load_der_x509_certificate", fail)
    told = judged(authorities, CHARGER)
    assert told.trouble.startswith("the certificate cannot be ") and len(told.fingerprint) == 64


# revocation


@pytest.mark.parametrize(
    ("lists", "made", "above", "trouble"),
    [
        (IN_TIME, CHARGER, (), ""),
        (revocation_list(ROOT, CHARGER), CHARGER, (), "the certificate is revoked"),
        (revocation_list(ROOT, CHARGER, begin=-9, days=2), CHARGER, (), "the revocation list of CN=root has expired"),
        (revocation_list(ROOT, begin=-9, days=2) + IN_TIME, CHARGER, (), ""),
        (revocation_list(ROOT, begin=-9, days=2), CHARGER, (), "the revocation list of CN=root has expired"),
        (revocation_list(ROOT, begin=2), CHARGER, (), "the revocation list of CN=root is not valid yet"),
        (revocation_list(ELSEWHERE), CHARGER, (), "there is no revocation list of CN=root"),
        (revocation_list(Made("root")), CHARGER, (), "the certificate: CRL signature failure"),
        (IN_TIME, charger(MIDDLE), (MIDDLE,), "there is no revocation list of CN=middle"),
        (IN_TIME + revocation_list(MIDDLE), charger(MIDDLE), (MIDDLE,), ""),
        (revocation_list(ROOT, MIDDLE) + revocation_list(MIDDLE), charger(MIDDLE), (MIDDLE,), "its authority CN=middle is revoked"),
        (revocation_list(MIDDLE), charger(MIDDLE), (MIDDLE,), "there is no revocation list of CN=root"),
    ],
)
def test_with_revocation_lists_a_certificate_is_trusted_only_by_valid_ones(
    put: Any, lists: bytes, made: Made, above: tuple[Made, ...], trouble: str
) -> None:
    """Of every authority in its chain; an expired list is told as that, and nobody is trusted by it."""
    told = judged(Authorities([put(ROOT.certificate)], [put(lists, "crl.pem")], Clock()), made, *above).trouble
    assert told == trouble


def test_a_list_may_be_in_der(put: Any) -> None:
    lists = x509.load_pem_x509_crl(revocation_list(ROOT, CHARGER)).public_bytes(Encoding.DER)
    assert judged(Authorities([put(ROOT.certificate)], [put(lists, "root.crl")], Clock()), CHARGER).trouble == "the certificate is revoked"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_not_resumed_so_that_a_revoked_charger_is_found_out(
    server: TlsServer, tmp_path: Path, put: Any, version: ssl.TLSVersion
) -> None:
    first = connect(server, tmp_path, CHARGER, version=version)
    for lists, trouble in ((IN_TIME, ""), (revocation_list(ROOT, CHARGER), "the certificate is revoked")):
        put(lists, "crl.pem")
        assert server.certificate.authorities is not None
        server.certificate.authorities.reload()
        context = MADE.proving(CHARGER, file=tmp_path / "charger.pem")
        context.minimum_version = context.maximum_version = version
        again = server.connect_tls(context)
        if first.tls.session is not None and first.tls.session.id:  # of TLS 1.2 there is not even one to be resumed
            again.tls = first.tls.context.wrap_bio(again.incoming, again.outgoing, server_hostname="127.0.0.1", session=first.tls.session)
        again.connect_charger()
        assert not again.tls.session_reused
        told = server.admissions.requests[-1].certificate
        assert told is not None and told.trouble == trouble


# the files


def test_new_authorities_and_lists_are_found_within_a_minute(put: Any) -> None:
    clock = Clock()
    made = Authorities([put(ROOT.certificate)], [put(IN_TIME, "crl.pem")], clock)
    made.start()
    assert judged(made, CHARGER).trouble == ""
    put(revocation_list(ROOT, CHARGER), "crl.pem")
    clock.advance(CHECK_INTERVAL)
    assert judged(made, CHARGER).trouble == "the certificate is revoked"
    put(ELSEWHERE.certificate)
    put(revocation_list(ELSEWHERE), "crl.pem")
    clock.advance(CHECK_INTERVAL)
    assert judged(made, CHARGER).trouble and not judged(made, charger(ELSEWHERE)).trouble
    made.stop()
    assert not clock.getDelayedCalls()


def test_new_authorities_are_named_to_new_connections(server: TlsServer, put: Any) -> None:
    put(ROOT.certificate + ELSEWHERE.certificate)
    assert server.certificate.authorities is not None
    server.certificate.authorities.reload()
    names = server.certificate.serverConnectionForTLS(None).get_client_ca_list()
    assert [each.commonName for each in names] == ["root", "elsewhere"]


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("ca.pem", b"", "--tls-client-ca: .*/ca.pem holds no certificate in PEM form"),
        ("ca.pem", MADE.key, "--tls-client-ca: .*/ca.pem holds no certificate in PEM form"),
        ("ca.pem", CHARGER.certificate, r"--tls-client-ca: O=Operator,CN=cp1 in .* is no authority \(CA:TRUE\)"),
        ("ca.pem", MIDDLE.certificate, "--tls-client-ca: CN=middle in .*/ca.pem is issued by CN=root, which must be there too"),
        ("crl.pem", b"", "--tls-client-crl: .*/crl.pem: it holds no revocation list"),
        ("crl.pem", IN_TIME.replace(b"M", b"?"), "--tls-client-crl: .*/crl.pem: a revocation list in it cannot be read"),
    ],
)
def test_unusable_files_end_the_start_and_later_leave_those_in_use(put: Any, logged: list[str], name: str, data: bytes, why: str) -> None:
    files = {"ca.pem": ROOT.certificate, "crl.pem": revocation_list(ROOT, CHARGER)}
    paths = [put(content, file) for file, content in files.items()]
    made = Authorities(paths[:1], paths[1:], Clock())
    put(data, name)
    with pytest.raises(InvalidSetting, match=why):
        Authorities(paths[:1], paths[1:], Clock())
    made.reload()
    assert logged[-1].startswith("error: authorities of chargers' certificates not reloaded, those in use stay: --tls-client-")
    assert judged(made, CHARGER).trouble == "the certificate is revoked"


def test_the_end_of_a_list_is_logged_once(put: Any, logged: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    made = Authorities([put(ROOT.certificate)], [put(revocation_list(ROOT, days=2), "crl.pem")], clock)
    made.start()

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.fromtimestamp(datetime.now(UTC).timestamp() + 3 * 86400, UTC)

    clock.advance(CHECK_INTERVAL)
    assert [line[:5] for line in logged] == ["info:"]
    monkeypatch.setattr(client_certificates, "datetime", Later)
    clock.pump([CHECK_INTERVAL] * 5)
    assert len(logged) == 2 and logged[1].startswith("error: revocation list of CN=root has expired at ")
    made.stop()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"tls_client_ca": "ca.pem"}, "--tls-client-ca: needs --tls"),
        ({"tls": "t.pem", "tls_client_crl": "a.pem"}, "--tls-client-crl: needs --tls-client-ca"),
    ],
)
def test_settings_that_need_another_one_are_refused(given: dict[str, str | None], why: str) -> None:
    with pytest.raises(InvalidSetting, match=why):
        read(given, {})
    assert read({"tls": "t.pem", "tls_client_ca": "a.pem, b.pem"}, {}).tls_client_ca == ("a.pem", "b.pem")
