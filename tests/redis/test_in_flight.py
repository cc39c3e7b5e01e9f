"""Elements in flight, compared with this gateway's list in Redis."""

from __future__ import annotations

from ocpp_tw.core.commands import Taken, digest
from ocpp_tw.redis.in_flight import InFlight


def marks(*elements: bytes) -> list[bytes]:
    return [digest(each).encode() for each in elements]


def test_equal_elements_are_counted():
    in_flight = InFlight()
    for _ in range(2):
        in_flight.add(b"a")
    in_flight.remove(b"a")
    assert in_flight.elements == {b"a": 1}
    assert in_flight.unknown([b"a", b"a"], []) == [Taken(b"a")]
    in_flight.remove(b"a")
    in_flight.remove(b"a")
    assert not in_flight.elements


def test_an_unknown_element_was_sent_if_an_earlier_incarnation_has_claimed_it():
    in_flight = InFlight()
    in_flight.add(b"a")
    in_flight.claim(digest(b"a"))
    found = in_flight.unknown([b"a", b"a", b"b", b"b"], marks(b"a", b"b"), 0.0)
    assert found == [Taken(b"a", 0.0, False), Taken(b"b", 0.0, True), Taken(b"b", 0.0, False)]


def test_only_elements_that_redis_still_has_in_our_list_are_kept():
    in_flight = InFlight()
    for each in (b"a", b"b", b"b"):
        in_flight.add(each)
    assert in_flight.keep([b"b", b"c"], [Taken(b"a"), Taken(b"b"), Taken(b"b")]) == [Taken(b"b")]
    assert in_flight.elements == {b"b": 1}
