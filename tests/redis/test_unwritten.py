"""Table updates that are not durable yet count for whoever reads the table, whatever waits for other tables."""

from __future__ import annotations

from ocpp_tw.redis.unwritten import Unwritten
from ocpp_tw.spool import applied


def test_the_latest_update_of_a_field_counts():
    unwritten = Unwritten()
    unwritten.add([(b"a", b"1", b"one"), (b"b", b"1", b"other"), (b"a", b"2", b"two")])
    unwritten.add([(b"a", b"1", None)])
    assert applied({}, unwritten.pending(b"a")) == {b"2": b"two"}
    assert applied({b"3": b"three"}, unwritten.pending(b"b")) == {b"1": b"other", b"3": b"three"}
    assert unwritten.pending(b"c") == []


def test_an_update_that_is_durable_does_not_count_any_more():
    unwritten = Unwritten()
    first, again = (b"a", b"1", b"one"), (b"a", b"1", b"uno")
    unwritten.add([first, again, first])
    unwritten.drop([first])
    assert applied({}, unwritten.pending(b"a")) == {b"1": b"one"}, "it was added once more, after the other"
    unwritten.drop([again, first])
    assert unwritten.pending(b"a") == []
    assert not unwritten.tables, "there are no empty tables"
