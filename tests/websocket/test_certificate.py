"""Which certificates are usable, the errors for those that are not, and how a new one takes over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

from certificates import Made
from ocpp_tw.read_settings import read
from ocpp_tw.settings import InvalidSetting, Settings
from ocpp_tw.watched import CHECK_INTERVAL
from ocpp_tw.websocket import certificate
from ocpp_tw.websocket.certificate import Certificate

ONE, OTHER = Made("one"), Made("other")


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


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., str]:
    """Writes a file; it is another one each time."""

    def write(data: bytes, name: str = "tls.pem") -> str:
        new = tmp_path / "new"
        new.write_bytes(data)
        new.replace(tmp_path / name)
        return str(tmp_path / name)

    return write


def in_use(made: Certificate) -> int:
    """The serial number of what a new connection shows."""
    shown = made.serverConnectionForTLS(None).get_certificate()
    assert shown is not None
    return shown.get_serial_number()


@pytest.mark.parametrize("kind", ["ec", "2048"])
def test_key_and_certificate_may_be_in_one_file_or_in_two(put, kind):
    made = Made(kind=kind)
    assert in_use(Certificate([put(made.pem)], [], Clock())) == made.number
    assert in_use(Certificate([put(made.key + made.certificate)], [], Clock())) == made.number
    assert in_use(Certificate([put(made.certificate)], [put(made.key, "key.pem")], Clock())) == made.number


def test_without_a_certificate_there_is_no_tls():
    assert Certificate.of(Settings(), Clock()) is None


@pytest.mark.parametrize(
    ("chain", "key", "why"),
    [
        (None, None, r"--tls: .*/absent.pem cannot be read: No such file or directory"),
        (b"", None, r"--tls: .*/tls.pem holds no certificate in PEM form"),
        (ONE.key, None, r"--tls: .*/tls.pem holds no certificate in PEM form"),
        (ONE.certificate, None, r"--tls: .*/tls.pem holds no private key in PEM form .*; add it, or name its file with --tls-key"),
        (ONE.certificate, ONE.certificate, r"--tls-key: .*/key.pem holds no private key in PEM form \(-----BEGIN PRIVATE KEY-----\)$"),
        (ONE.certificate + OTHER.key, None, r"--tls: the private key in .*/tls.pem does not belong to the first certificate in .*/tls.pem"),
        (ONE.certificate, OTHER.key, r"--tls-key: the private key in .*/key.pem does not belong to the first certificate in .*/tls.pem"),
        (OTHER.certificate + ONE.pem, None, r"--tls: in .*/tls.pem the key's own certificate must come first"),
        (ONE.certificate + ONE.encrypted, None, r"--tls: the private key in .*/tls.pem is encrypted, .*; decrypt it"),
        (ONE.certificate.replace(b"M", b"?"), ONE.key, r"--tls: a certificate in .*/tls.pem cannot be read"),
        (ONE.certificate, ONE.key.replace(b"M", b"N"), r"--tls-key: the private key in .*/key.pem cannot be read"),
        (Made(kind="1024").pem, None, r"--tls: OpenSSL rejects the certificate CN=gateway: ee key too small"),
    ],
)  # fmt: skip
def test_an_unusable_file_is_an_error_of_one_line(put, tmp_path, chain, key, why):
    files = [str(tmp_path / "absent.pem") if chain is None else put(chain)], [] if key is None else [put(key, "key.pem")]
    with pytest.raises(InvalidSetting, match=why) as raised:
        Certificate(*files, Clock())
    assert "\n" not in str(raised.value)


def test_two_certificates_may_have_keys_of_two_kinds(put, logged):
    """Each is read again, and warned of, by itself."""
    rsa, gone = Made("rsa", kind="2048"), Made("gone", begin=-10)
    made = Certificate(
        [put(rsa.certificate, "rsa.pem"), put(gone.certificate, "ec.pem")], [put(rsa.key, "rsa.key"), put(gone.key, "ec.key")], Clock()
    )
    assert [line.partition(":")[0] for line in logged] == ["info", "info", "warn"] and "ec.pem has expired" in logged[2]
    put(ONE.certificate, "ec.pem")
    put(ONE.key, "ec.key")
    made.reload()
    assert "CN=one" in logged[-1] and in_use(made) in (rsa.number, ONE.number)
    with pytest.raises(InvalidSetting, match="--tls: two certificates have keys of one kind"):
        Certificate([put(ONE.pem), put(OTHER.pem, "other.pem")], [], Clock())


def test_without_a_place_for_temporary_files_two_are_refused_in_one_line(put, monkeypatch):
    """As in a container that can write nowhere; one certificate needs none."""

    def nowhere() -> Any:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(certificate, "NamedTemporaryFile", nowhere)
    assert in_use(Certificate([put(ONE.pem)], [], Clock())) == ONE.number
    with pytest.raises(InvalidSetting, match=r"--tls: .* \(TMPDIR\), which fails: No usable temporary directory"):
        Certificate([put(ONE.pem), put(Made(kind="2048").pem, "rsa.pem")], [], Clock())


def test_each_certificate_has_its_key():
    with pytest.raises(InvalidSetting, match="--tls-key: names 1 files for the 2 of --tls"):
        read({"tls": "a.pem,b.pem", "tls_key": "a.key"}, {})


def test_a_key_alone_is_no_setting():
    with pytest.raises(InvalidSetting, match="--tls-key: needs --tls"):
        read({"tls_key": "key.pem"}, {})


@pytest.mark.parametrize(("begin", "said"), [(-10, "has expired at "), (2, "is not valid before ")])
def test_a_certificate_out_of_its_time_is_warned_of_and_used(put, logged, begin, said):
    """F23: better a charger that does not check it than none."""
    made = Made(begin=begin, days=9)
    assert in_use(Certificate([put(made.pem)], [], Clock())) == made.number
    assert [line.startswith("warn") and said in line for line in logged] == [False, True]


def test_its_expiry_is_logged_once(put, logged, monkeypatch):
    clock = Clock()
    made = Certificate([put(ONE.pem)], [], clock)
    made.start()
    clock.advance(CHECK_INTERVAL)
    assert len(logged) == 1

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(UTC) + timedelta(30)

    monkeypatch.setattr(certificate, "datetime", Later)
    clock.pump([CHECK_INTERVAL] * 5)
    assert len(logged) == 2 and "has expired" in logged[1]
    made.stop()
    assert not clock.getDelayedCalls()


def test_a_new_one_is_used_when_asked_to(put, logged):
    """F23."""
    made = Certificate([put(ONE.pem)], [], Clock())
    put(OTHER.pem)
    assert in_use(made) == ONE.number
    made.reload()
    assert in_use(made) == OTHER.number
    assert "CN=other" in logged[-1]


def test_a_new_one_is_found_within_a_minute(put):
    clock = Clock()
    made = Certificate([put(ONE.certificate)], [put(ONE.key, "key.pem")], clock)
    made.start()
    put(OTHER.certificate)  # the key is not there yet
    clock.advance(CHECK_INTERVAL)
    assert in_use(made) == ONE.number
    put(OTHER.key, "key.pem")
    clock.advance(CHECK_INTERVAL)
    assert in_use(made) == OTHER.number
    made.stop()


@pytest.mark.parametrize("bad", [b"", OTHER.certificate, OTHER.certificate + ONE.key, None])
def test_an_unusable_new_one_leaves_the_old_one_and_is_logged_once(put, logged, bad):
    clock = Clock()
    made = Certificate([file := put(ONE.pem)], [], clock)
    made.start()
    if bad is None:
        Path(file).unlink()
    else:
        put(bad)
    clock.pump([CHECK_INTERVAL] * 5)
    assert in_use(made) == ONE.number
    assert len(logged) == 2 and logged[1].startswith("error: certificate for chargers not reloaded, the one in use stays: --tls: ")
    put(OTHER.pem)
    clock.advance(CHECK_INTERVAL)
    assert in_use(made) == OTHER.number
    made.stop()


def test_what_belongs_to_it_does_not_depend_on_the_directory(put, tmp_path, monkeypatch):
    """twistd changes it when it becomes a daemon."""
    put(ONE.pem)
    monkeypatch.chdir(tmp_path)
    made = Certificate(["tls.pem"], [], Clock())
    monkeypatch.chdir("/")
    put(OTHER.pem)
    made.reload()
    assert in_use(made) == OTHER.number
