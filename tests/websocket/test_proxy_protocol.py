"""What a proxy announces is read the same however it is cut, and nothing that it might send does harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_tw.websocket.proxy_protocol import MAX_LENGTH, Announced, BadAnnouncement, read
from proxy_headers import part, version_2

GOOD = [
    (b"PROXY TCP4 198.51.100.5 192.0.2.1 1234 443\r\n", Announced("198.51.100.5")),
    (b"PROXY TCP6 2001:DB8::5 ::1 1234 443\r\n", Announced("2001:db8::5")),
    (b"PROXY UNKNOWN\r\n", Announced("")),
    (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", Announced("")),
    (version_2(""), Announced("")),
    (version_2("198.51.100.5"), Announced("198.51.100.5")),
    (version_2("2001:db8::5", True), Announced("2001:db8::5", True)),
    (version_2("2001:db8::5", False), Announced("2001:db8::5", False)),
    (version_2("198.51.100.5", True, b"x" * 3000, part(0x04, b"padding")), Announced("198.51.100.5", True, True, b"x" * 3000)),
    (version_2("198.51.100.5", True, b""), Announced("198.51.100.5", True, True)),
    (version_2("")[:12] + b"\x21\x31\x00\xd8" + bytes(216), Announced("")),
    (version_2("")[:12] + b"\x21\x00\x00\x00", Announced("")),
]
BAD = [
    b"GET / HTTP/1.1",
    b"PROXX",
    b"PROXY TCP4 198.51.100.5 192.0.2.1 1234\r\n",
    b"PROXY TCP4 nobody 192.0.2.1 1234 443\r\n",
    b"PROXY TCP9 198.51.100.5 192.0.2.1 1234 443\r\n",
    b"PROXY TCP4 \xff 192.0.2.1 1234 443\r\n",
    b"PROXY " + b"x" * 200,
    version_2("")[:12] + b"\x11\x11\x00\x0c" + bytes(12),
    version_2("")[:12] + b"\x22\x11\x00\x0c" + bytes(12),
    version_2("")[:12] + b"\x21\x11\x00\x0b" + bytes(11),
    version_2("")[:12] + b"\x21\x11" + (MAX_LENGTH + 1).to_bytes(2, "big"),
    version_2("198.51.100.5", before=b"\x20"),
    version_2("198.51.100.5", before=part(0x20, b"\x01\x00")),
    version_2("198.51.100.5", before=part(0x20, b"\x01\x00\x00\x00\x00\x28\x00\x09x")),
]


@pytest.mark.parametrize(("said", "announced"), GOOD)
def test_an_announcement_is_read_once_it_is_complete(said: bytes, announced: Announced) -> None:
    assert all(read(said[:count]) is None for count in range(len(said)))
    assert read(said) == read(said + b"GET ") == (announced, len(said))


@pytest.mark.parametrize("said", BAD)
def test_anything_else_is_refused(said: bytes) -> None:
    with pytest.raises(BadAnnouncement):
        read(said)


@given(st.sampled_from([said for said, _ in GOOD]), st.data())
def test_random_bytes_are_read_or_refused(said: bytes, data: st.DataObject) -> None:
    changed = bytearray(said)
    for _ in range(data.draw(st.integers(0, 5))):
        changed[data.draw(st.integers(0, len(said) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(changed))
    except BadAnnouncement:
        return
    assert found is None or 0 < found[1] <= len(said)
