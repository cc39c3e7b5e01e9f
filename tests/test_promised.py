"""What is not safe yet counts for whoever asks what is on a shelf, whatever waits for other shelves."""

from __future__ import annotations

from ocpp_tw.redis.unwritten import Unwritten


def test_a_shelf_is_told_what_will_be_on_it_the_latest_last():
    promised = Unwritten()
    promised.add([(b"a", b"1", b"one"), (b"b", b"1", b"other"), (b"a", b"2", b"two")])
    promised.add([(b"a", b"1", None)])
    assert promised.on(b"a") == {b"1": None, b"2": b"two"}
    assert promised.on(b"b") == {b"1": b"other"}
    assert promised.on(b"c") == {}


def test_what_is_safe_is_promised_no_more():
    promised = Unwritten()
    first, again = (b"a", b"1", b"one"), (b"a", b"1", b"uno")
    promised.add([first, again, first])
    promised.drop([first])
    assert promised.on(b"a") == {b"1": b"one"}, "it is promised once more, after the other"
    promised.drop([again, first])
    assert promised.on(b"a") == {}
    assert not promised.tables, "nothing is kept of a shelf that nothing is promised for"
