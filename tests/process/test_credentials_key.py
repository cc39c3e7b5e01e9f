"""The file with the keys that passwords are stored under."""

from __future__ import annotations

import os

import pytest
from twisted.logger import formatEvent, globalLogPublisher

from ocpp_tw.core.passwords import Passwords
from ocpp_tw.process.credentials_key import KeyFile
from ocpp_tw.settings import InvalidSetting


def test_it_is_made_when_the_first_password_is_stored_and_not_before(tmp_path):
    path = tmp_path / "key"
    passwords = Passwords(KeyFile(str(path)))
    assert not passwords.match("", b"x") and not path.exists()
    passwords.stored(b"secret")
    assert path.stat().st_mode & 0o777 == 0o600 and [each.name for each in tmp_path.iterdir()] == ["key"]


def test_another_process_uses_the_key_that_was_made_first(tmp_path):
    first, second = Passwords(KeyFile(str(tmp_path / "key"))), Passwords(KeyFile(str(tmp_path / "key")))
    stored = first.stored(b"secret")
    assert second.match(stored, b"secret") and first.match(second.stored(b"other"), b"other")


def test_two_that_make_it_at_once_have_one_key(tmp_path, monkeypatch):
    first, second = KeyFile(str(tmp_path / "key")), KeyFile(str(tmp_path / "key"))
    real, made = os.link, []

    def slow(*args):
        if not made:
            made.append(b"")
            made[0] = second.current()
        real(*args)

    monkeypatch.setattr(os, "link", slow)
    assert first.current() == made[0] == KeyFile(str(tmp_path / "key")).current()


def test_a_new_key_in_front_stores_and_the_old_one_is_still_good(tmp_path):
    path = tmp_path / "key"
    keys = KeyFile(str(path))
    old = Passwords(keys).stored(b"secret")
    path.write_text("ab" * 32 + "\n" + path.read_text())
    keys.read()
    new = Passwords(keys).stored(b"secret")
    assert Passwords(keys).match(old, b"secret") and Passwords(keys).match(new, b"secret")
    assert new.partition(":")[0] != old.partition(":")[0]


def test_a_line_that_is_no_key_is_told_and_not_shown(tmp_path):
    (tmp_path / "key").write_text("ab" * 32 + "\nhunter2\n")
    with pytest.raises(InvalidSetting, match="line 2") as why:
        KeyFile(str(tmp_path / "key"))
    assert "hunter2" not in str(why.value)


def test_a_file_that_becomes_unreadable_while_the_gateway_runs_changes_nothing_and_is_logged_once(tmp_path):
    path, lines = tmp_path / "key", []
    passwords = Passwords(KeyFile(str(path)))
    stored = passwords.stored(b"secret")

    def observe(event):
        if (event.get("log_format") or "").startswith("credentials key cannot be read"):
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    path.write_text("hunter2")
    assert [passwords.trouble("00000000") for _ in range(3)] == ["wrong"] * 3
    globalLogPublisher.removeObserver(observe)
    assert passwords.match(stored, b"secret") and passwords.trouble(stored[:8]) is None
    (line,) = lines
    assert "line 1" in line and "hunter2" not in line
