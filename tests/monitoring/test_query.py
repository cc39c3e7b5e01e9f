"""A page of chargers has those that come first, however many there are and in whatever order they are looked at."""

from __future__ import annotations

import random

import pytest
from twisted.internet.defer import Deferred

from ocpp_tw.monitoring.query import ChargersPageQuery, ChargersQuery, First, place
from ocpp_tw.testing import InMemoryGateway

TURNS = 10_000
"""Turns of the loop within which a page is there: it takes one for each hundred chargers at most, and a few more."""


@pytest.mark.parametrize("sort", ["model", "-model"])
@pytest.mark.parametrize(("limit", "offset"), [(1, 0), (100, 0), (100, 950), (100, 2500), (1000, 5000)])
def test_the_first_are_the_first_of_all(sort: str, limit: int, offset: int) -> None:
    query = ChargersQuery(sort=sort, limit=limit, offset=offset)
    chance = random.Random(f"{sort} {limit} {offset}")
    rows = [(chance.choice(["", None, *"abcABC"]), f"c{number:04}") for number in range(4321)]
    chance.shuffle(rows)
    all_of_them = [(place("model", query.descending, model, id), id) for model, id in rows]
    first = First[str](query)
    for start in range(0, len(all_of_them), 100):
        first.add(all_of_them[start : start + 100])
    expected = sorted(all_of_them, reverse=query.descending)[: query.want]
    assert first.sort() == first.sort() == expected


@pytest.mark.parametrize("offset", [0, 1500, 2900])
async def test_pages_of_a_large_fleet_follow_each_other(offset: int) -> None:
    gateway = InMemoryGateway()
    for number in range(3000):
        gateway.connect(f"c{number * 1009 % 3000:04}")
    looking = Deferred.fromCoroutine(gateway.application.monitoring.fleet_chargers.chargers(ChargersPageQuery(offset=offset)))
    for _ in range(TURNS):
        if looking.called:
            break
        gateway.clock.advance(0)
    assert looking.called, "there is no page"
    page = await looking
    assert [row["id"] for row in page["rows"]] == [f"c{number:04}" for number in range(offset, offset + 100)]
