"""Passwords: stored so that nobody can read or guess them, compared as bytes."""

from __future__ import annotations

import pytest

from ocpp_tw.core.passwords import Passwords, UnknownKey, canonical, generate
from ocpp_tw.memory import MemoryKeys

KEY = "00112233445566778899aabbccddeeff01234567"


def test_only_the_password_matches():
    passwords = Passwords(MemoryKeys())
    stored = passwords.stored(b"correct horse battery")
    assert passwords.match(stored, b"correct horse battery")
    for other in (b"", b"correct horse battery ", b"Correct horse battery", stored.encode()):
        assert not passwords.match(stored, other)


def test_nothing_matches_where_no_password_is_stored():
    passwords = Passwords(MemoryKeys())
    assert not passwords.match("", b"") and not passwords.match("", b"x")


@pytest.mark.parametrize("shown", [KEY.encode(), KEY.upper().encode(), bytes.fromhex(KEY)])
@pytest.mark.parametrize("set_as", [KEY, KEY.upper()])
def test_a_hexadecimal_key_is_taken_as_its_digits_and_as_its_bytes(set_as, shown):
    """HOSTILE S1; 1.6 security whitepaper: 40 digits are set, 20 bytes are sent."""
    passwords = Passwords(MemoryKeys())
    assert passwords.match(passwords.stored(set_as.encode()), shown)


@pytest.mark.parametrize("password", [b"\xff\x00:\xfe" * 5, b"with:colon:and more", "é".encode() * 8, b"0" * 31, b"g" * 40])
def test_any_bytes_may_be_a_password(password):
    passwords = Passwords(MemoryKeys())
    assert canonical(password) == password and passwords.match(passwords.stored(password), password)


def test_equal_passwords_are_stored_differently_and_without_the_password():
    passwords = Passwords(MemoryKeys())
    first, second = passwords.stored(KEY.encode()), passwords.stored(KEY.encode())
    assert first != second and KEY not in first and passwords.match(first, KEY.encode()) and passwords.match(second, KEY.encode())


def test_a_stolen_store_is_of_no_use_without_the_key():
    stored = Passwords(MemoryKeys()).stored(KEY.encode())
    with pytest.raises(UnknownKey, match="--credentials-key"):
        Passwords(MemoryKeys()).match(stored, KEY.encode())


def test_a_generated_password_fits_all_versions():
    """1.6: 40 digits for 20 bytes; 2.0.1: 16 to 40 characters."""
    assert len(generate()) == 40 and len(canonical(generate().encode())) == 20 and generate() != generate()
