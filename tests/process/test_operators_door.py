"""The certificate of operators' HTTPS: replaced when its files change, and named by its own options."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from certificates import Made
from ocpp_tw.process.operators_door import OperatorsDoor
from ocpp_tw.settings import InvalidSetting, Settings
from ocpp_tw.watched import CHECK_INTERVAL

OLD, NEW, EXPIRED = Made("old"), Made("new"), Made("expired", begin=-9, days=1)


def test_a_certificate_that_has_changed_is_loaded_within_a_minute(tmp_path, said):
    file, clock = tmp_path / "tls.pem", Clock()
    door = OperatorsDoor(Settings(http_tls=(OLD.write(file),)), clock)
    door.start()
    clock.advance(CHECK_INTERVAL)
    assert len(said) == 1 and said[0].startswith("certificate presented to operators: ")
    NEW.write(file)
    clock.advance(CHECK_INTERVAL)
    assert len(said) == 2
    file.unlink()
    clock.pump([CHECK_INTERVAL] * 3)
    assert len(said) == 3 and said[2].startswith("certificate for operators not reloaded, the one in use stays: --http-tls: ")
    door.stop()
    assert clock.getDelayedCalls() == []


def test_a_certificate_that_has_expired_is_used_with_a_warning(tmp_path, said):
    OperatorsDoor(Settings(http_tls=(EXPIRED.write(tmp_path / "tls.pem"),)), Clock())
    assert "has expired" in said[1] and "operators that check it" in said[1]


@pytest.mark.parametrize("key", [b"", OLD.key])
def test_a_key_in_a_file_of_its_own_must_be_the_certificates(tmp_path, key):
    (tmp_path / "key").write_bytes(key)
    settings = Settings(http_tls=(NEW.write(tmp_path / "tls.pem"),), http_tls_key=(str(tmp_path / "key"),))
    with pytest.raises(InvalidSetting, match=r"^--http-tls-key: "):
        OperatorsDoor(settings, Clock())
