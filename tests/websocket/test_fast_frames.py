"""Ordinary frames taken directly give the same messages as by way of Autobahn, whatever comes and however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocpp_tw.websocket import receiving
from ocpp_tw.websocket.fast_frames import take, text_frame
from websocket_peer import BINARY, PING, TEXT, Server, client_close, frame, frames

texts = st.binary(max_size=40) | st.sampled_from([b"", b"x" * 125, b"x" * 126, b"x" * 300, "é€😀".encode(), b"\xff", b"x" * 65536])
pieces = st.one_of(
    st.builds(frame, texts),
    st.builds(frame, texts, st.sampled_from([TEXT, BINARY, 0, PING, 3, 11]), fin=st.booleans(), rsv=st.sampled_from([0, 0, 0, 4]),
              mask=st.sampled_from([b"\0\0\0\0", b"\x11\x22\x33\x44", None])),
    st.sampled_from([client_close(), b"\x81\xfe\x00\x05" + b"\0" * 9, b"\x81\xff" + b"\0" * 7 + b"\x05" + b"\0" * 9]),
)  # fmt: skip


def heard(data: bytes, cuts: list[int]) -> tuple[list[object], list[tuple[int, bytes]], bool]:
    """The calls of the application, the frames sent to the charger, and whether it was disconnected."""
    server = Server(max_message=70_000)
    connection = server.connect_charger()
    ends = [*sorted(cuts), len(data)]
    sent = connection.exchange(*(data[start:end] for start, end in zip([0, *ends], ends, strict=False)))
    server.wait(1)
    result = list(server.calls), frames(sent), connection.peer.lost
    server.close()
    return result


@settings(max_examples=150, deadline=None)
@given(st.lists(pieces, max_size=5), st.lists(st.integers(0, 700), max_size=5))
def test_both_ways_hear_the_same(sent: list[bytes], cuts: list[int]) -> None:
    """The frame path: fragments, control frames, breaches and partial reads go through Autobahn untouched."""
    data = b"".join(sent)
    quick = heard(data, cuts)
    before, receiving.take = receiving.take, lambda data, max_size: None
    try:
        assert heard(data, cuts) == quick
    finally:
        receiving.take = before


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535])
def test_a_whole_frame_is_taken_and_what_is_behind_it_left(size: int) -> None:
    text = bytes(n % 128 for n in range(size))
    data = frame(text) + b"rest"
    assert take(data, 1 << 20) == (text, len(data) - 4)
    assert all(take(data[:cut], 1 << 20) is None for cut in (0, 1, 5, len(data) - 5))


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_what_is_sent_is_a_frame_of_a_server(size: int) -> None:
    assert frames(text_frame(b"x" * size)) == [(TEXT, b"x" * size)]
