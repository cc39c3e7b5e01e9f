"""Wrong tokens are told by address, once a minute each, and however many there are not more than somebody would read."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from ocpp_tw.operators.failed_logins import MAX_ADDRESSES, RATE, FailedLogin, FailedLogins
from ocpp_tw.tally import INTERVAL
from operators_site import Site

Told = list[FailedLogin]


@pytest.fixture
def made() -> tuple[FailedLogins, Clock, Told]:
    clock, told = Clock(), []
    return FailedLogins(clock, told.append), clock, told


def test_the_first_is_told_at_once_and_the_others_once_a_minute_with_their_number(made):
    logins, clock, told = made
    for _ in range(5):
        logins.note("192.0.2.1", "192.0.2.1")
    logins.note("2001:db8::/64", "2001:db8::7")
    assert told == [FailedLogin("192.0.2.1", 1), FailedLogin("2001:db8::7", 1)]
    clock.advance(INTERVAL)
    assert told[2:] == [FailedLogin("192.0.2.1", 4)]
    logins.note("192.0.2.1", "192.0.2.1")
    assert len(told) == 3
    clock.advance(INTERVAL)
    assert told[3:] == [FailedLogin("192.0.2.1", 1)]
    clock.advance(INTERVAL)
    assert clock.getDelayedCalls() == []


def test_what_is_told_is_bounded_in_all_and_counts_what_is_not(made):
    logins, clock, told = made
    for number in range(3 * MAX_ADDRESSES):
        logins.note(str(number), str(number))
    assert len(told) == RATE.burst and len(clock.getDelayedCalls()) <= MAX_ADDRESSES + 1
    clock.advance(1)
    logins.stop()
    assert 0 < sum(each.left_out for each in told) <= 3 * MAX_ADDRESSES and len(told) <= RATE.burst + 1
    assert clock.getDelayedCalls() == []


def test_addresses_that_have_stopped_make_room(made):
    logins, clock, told = made
    for number in range(MAX_ADDRESSES):
        logins.note(str(number), str(number))
    clock.pump([INTERVAL] * 3)
    told.clear()
    logins.note("new", "new")
    assert [each.address for each in told] == ["new"]
    logins.stop()


async def test_a_wrong_token_is_one_and_none_at_all_is_not(said: list[str]):
    site = Site("s3cret")
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic s3cret"}, {"authorization": "Bearer s3cret"}):
        await site.request("GET", "/api/chargers", **headers)
    await site.close()
    assert site.services.failed == [FailedLogin("127.0.0.1", 1), FailedLogin("127.0.0.1", 1)]
    assert not any("wrong " in each and "Bearer" in each for each in said)
