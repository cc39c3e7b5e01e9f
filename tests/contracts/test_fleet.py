"""`IFleet`: what every implementer does, in memory and over Redis's channels."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from zope.interface.verify import verifyObject

from fleets import pause, soon, until
from ocpp_tw.fleet import feeds, questions
from ocpp_tw.interfaces import Answers, IFleet, IFollowing, TooManyFollowers
from ocpp_tw.redis import lease, lease_health


async def gateways(fleet, *names: str) -> list[Any]:
    """Gateways that know of each other."""
    made = [await fleet.gateway(name) for name in names]
    for each in made:
        each.fleet.answer("name", lambda query, name=each.name: {"name": name, **query})
    for each in made:
        await until(lambda each=each: not each.fleet.trouble)

    async def known() -> bool:
        return len((await soon(made[0].fleet.ask("name", {}))).answers) == len(made)

    while not await known():
        await pause(0.01)
    return made


async def test_it_provides_the_interface(fleet):
    [gateway] = await gateways(fleet, "a")
    assert verifyObject(IFleet, gateway.fleet)


async def test_all_gateways_answer_and_the_one_that_asks_as_well(fleet):
    first, second, _ = await gateways(fleet, "a", "b", "c")
    for each in (first, second):
        answers = await soon(each.fleet.ask("name", {"x": ["ä", 1.5, None]}))
        assert answers == Answers({name: {"name": name, "x": ["ä", 1.5, None]} for name in "abc"}, [], "")


async def test_an_answer_may_take_its_time(fleet):
    first, second = await gateways(fleet, "a", "b")
    waiting: list[Deferred[Any]] = []

    def later(_: Any) -> Deferred[Any]:
        waiting.append(Deferred())
        return waiting[-1]

    async def at_once(_: Any) -> str:
        return await succeed("at once")

    first.fleet.answer("later", later)
    second.fleet.answer("later", at_once)
    asking = Deferred.fromCoroutine(first.fleet.ask("later", {}, 60.0))
    await pause(0.05)
    assert not asking.called
    waiting[0].callback("at last")
    assert (await soon(asking)).answers == {"a": "at last", "b": "at once"}


async def test_one_that_does_not_answer_is_missing_and_the_others_have_answered(fleet):
    first, second, _ = await gateways(fleet, "a", "b", "c")
    await fleet.deafen(second)
    answers = await soon(first.fleet.ask("name", {}, 0.3))
    assert (sorted(answers.answers), answers.missing, answers.trouble) == (["a", "c"], ["b"], "")


async def test_one_that_has_left_is_not_waited_for(fleet):
    first, second = await gateways(fleet, "a", "b")
    await fleet.stop(second)
    assert await soon(first.fleet.ask("name", {}, 1e6)) == Answers({"a": {"name": "a"}}, [])


async def test_one_that_fails_or_does_not_know_the_question_is_missing_at_once(fleet, tidy):
    first, second, _ = await gateways(fleet, "a", "b", "c")
    second.fleet.answer("ratio", lambda query: 1 / query["by"])
    first.fleet.answer("ratio", lambda query: 1)
    assert await soon(first.fleet.ask("ratio", {"by": 0}, 1e6)) == Answers({"a": 1}, ["b", "c"])
    assert await soon(second.fleet.ask("ratio", {"by": 2}, 1e6)) == Answers({"a": 1, "b": 0.5}, ["c"])
    assert (await soon(second.fleet.ask("ratio", {"by": 0}, 1e6))).missing == ["b", "c"]
    assert [each["log_failure"].type for each in tidy] == [ZeroDivisionError] * 2
    tidy.clear()


async def test_an_answer_that_is_too_long_is_none(fleet, monkeypatch):
    first, second = await gateways(fleet, "a", "b")
    monkeypatch.setattr(questions, "MAX_MESSAGE", 10_000)
    for each in (first, second):
        each.fleet.answer("text", lambda query: "x" * query["length"])
    assert (await soon(first.fleet.ask("text", {"length": 9_000}))).missing == []
    answers = await soon(first.fleet.ask("text", {"length": 11_000}, 1e6))
    assert (list(answers.answers), answers.missing) == (["a"], ["b"])  # its own does not travel


async def test_no_more_questions_are_under_way_than_may_be(fleet, monkeypatch):
    first, second = await gateways(fleet, "a", "b")
    monkeypatch.setattr(questions, "MAX_ASKING", 2)
    first.fleet.answer("never", lambda _: "own")
    second.fleet.answer("never", lambda _: Deferred(lambda _: None))
    asking = [Deferred.fromCoroutine(first.fleet.ask("never", {}, 60.0)) for _ in range(2)]
    await pause(0.02)
    answers = await soon(first.fleet.ask("never", {}, 60.0))
    assert answers.answers == {"a": "own"} and "too many" in answers.trouble
    for each in asking:
        each.cancel()
        each.addErrback(lambda _: None)
    assert (await soon(first.fleet.ask("name", {}))).missing == []


async def test_no_more_questions_are_answered_at_once_than_may_be(fleet, monkeypatch):
    first, second = await gateways(fleet, "a", "b")
    monkeypatch.setattr(questions, "MAX_ANSWERING", 1)
    first.fleet.answer("slow", lambda _: "own")
    second.fleet.answer("slow", lambda _: Deferred())
    asking = Deferred.fromCoroutine(first.fleet.ask("slow", {}, 0.5))
    await pause(0.05)
    assert (await soon(first.fleet.ask("slow", {}, 1e6))).missing == ["b"]
    assert (await soon(asking)).missing == ["b"]


async def test_without_the_store_the_own_answer_is_there_and_trouble_says_why(fleet):
    first, second = await gateways(fleet, "a", "b")
    await fleet.outage()
    answers = await soon(first.fleet.ask("name", {}, 1e6))
    assert answers.answers == {"a": {"name": "a"}} and answers.trouble and answers.trouble == first.fleet.trouble
    await fleet.back()
    while len((await soon(second.fleet.ask("name", {}))).answers) < 2:
        await pause(0.01)


async def test_a_store_that_takes_no_writes_is_as_one_that_is_away(fleet, monkeypatch):
    monkeypatch.setattr(lease, "RENEW_INTERVAL", 0.1)
    monkeypatch.setattr(lease_health, "SETTLED_AFTER", 0.5)
    first, second = await gateways(fleet, "a", "b")
    await fleet.full()
    try:
        for each in (first, second):
            answers = await soon(each.fleet.ask("name", {}, 1e6))
            assert answers.answers == {each.name: {"name": each.name}} and answers.missing == []
            assert answers.trouble and answers.trouble == each.fleet.trouble
    finally:
        await fleet.back()
    for each in (first, second):
        assert sorted((await soon(each.fleet.ask("name", {}))).answers) == ["a", "b"]


class Feeder:
    """Feeds who follows, and knows who does."""

    def __init__(self, gateway) -> None:
        self.fed: list[Any] = []
        self.queries: list[Any] = []
        gateway.fleet.feed("frames", self.begin)

    def begin(self, query, send):
        self.queries.append(query)
        self.fed.append(send)
        return lambda: self.fed.remove(send)

    def __call__(self, *items: Any) -> None:
        for send in list(self.fed):
            send(items)


class Follower:
    """Follows, and keeps what it has received of each gateway."""

    def __init__(self, gateway, **query: Any) -> None:
        self.items: list[tuple[str, Any]] = []
        self.left_out = self.messages = 0
        self.following = gateway.fleet.follow("frames", query, self.received)

    def received(self, gateway: str, items: list[Any], left_out: int) -> None:
        self.items += [(gateway, item) for item in items]
        self.left_out += left_out
        self.messages += 1


async def test_a_follower_receives_what_each_gateway_feeds_until_it_stops(fleet):
    made = await gateways(fleet, "a", "b")
    feeders = [Feeder(each) for each in made]
    follower = Follower(made[0], charger="c1")
    assert verifyObject(IFollowing, follower.following)
    await until(lambda: all(each.fed for each in feeders))
    assert [each.queries for each in feeders] == [[{"charger": "c1"}]] * 2
    for number, feeder in enumerate(feeders):
        feeder({"n": number}, lambda: "ä")
        feeder(None)
    await until(lambda: len(follower.items) == 6)
    assert [item for gateway, item in follower.items if gateway == "a"] == [{"n": 0}, "ä", None]
    assert [item for gateway, item in follower.items if gateway == "b"] == [{"n": 1}, "ä", None]
    assert follower.messages == 2, "what comes at once is sent at once"
    for feeder in feeders:
        feeder("too late")
    follower.following.stop()
    follower.following.stop()
    await until(lambda: not any(each.fed for each in feeders))
    await pause(2 * feeds.FLUSH_INTERVAL)
    assert len(follower.items) == 6


async def test_each_follower_is_fed_by_itself(fleet):
    made = await gateways(fleet, "a", "b")
    feeder = Feeder(made[0])
    here, there = Follower(made[0], x=1), Follower(made[1], x=2)
    await until(lambda: len(feeder.fed) == 2)
    feeder("both")
    await until(lambda: here.items == there.items == [("a", "both")])
    here.following.stop()
    await until(lambda: len(feeder.fed) == 1)
    feeder("one")
    await until(lambda: len(there.items) == 2)
    assert here.items == [("a", "both")]
    there.following.stop()


async def test_a_gateway_that_ends_while_it_follows_leaves_nothing_behind(fleet, monkeypatch):
    monkeypatch.setattr(feeds, "INTEREST_TTL", 0.5)
    monkeypatch.setattr(feeds, "CHECK_INTERVAL", 0.05)
    monkeypatch.setattr(feeds, "RENEW_INTERVAL", 0.1)
    first, second = await gateways(fleet, "a", "b")
    feeder = Feeder(first)
    Follower(second)
    await until(lambda: feeder.fed)
    await pause(1.0)
    assert len(feeder.fed) == 1, "as long as it lives it is fed"
    await fleet.silence(second)
    await until(lambda: not feeder.fed)


async def test_a_gateway_that_starts_later_is_followed_as_well(fleet, monkeypatch):
    monkeypatch.setattr(feeds, "RENEW_INTERVAL", 0.1)
    [first] = await gateways(fleet, "a")
    follower = Follower(first)
    second = await fleet.gateway("b")
    feeder = Feeder(second)
    await until(lambda: feeder.fed)
    feeder("new")
    await until(lambda: follower.items == [("b", "new")])
    follower.following.stop()


async def test_what_is_too_much_is_left_out_and_counted(fleet, monkeypatch):
    monkeypatch.setattr(feeds, "ITEMS_PER_SECOND", 5)
    first, second = await gateways(fleet, "a", "b")
    feeder, made = Feeder(first), []
    here, there = Follower(first), Follower(second)
    await until(lambda: len(feeder.fed) == 2)
    feeder(*[lambda number=number: made.append(number) or number for number in range(100)])
    for each in (here, there):
        await until(lambda each=each: each.items)
        assert [item for _, item in each.items] == list(range(5)) and each.left_out == 95
    assert len(made) == 10, "what is left out is not made"
    await pause(1.2)
    feeder("later")
    await until(lambda: here.items[-1] == there.items[-1] == ("a", "later"))
    for each in (here, there):
        each.following.stop()


async def test_the_bytes_are_bounded_too_for_one_and_for_all(fleet, monkeypatch):
    monkeypatch.setattr(feeds, "BYTES_PER_SECOND", 10_000)
    monkeypatch.setattr(feeds, "ALL_BYTES_PER_SECOND", 15_000)
    [gateway] = await gateways(fleet, "a")
    feeder = Feeder(gateway)
    followers = [Follower(gateway) for _ in range(3)]
    feeder(*["x" * 998] * 30)
    await until(lambda: all(each.messages for each in followers))
    assert [len(each.items) + each.left_out for each in followers] == [30] * 3
    counts = [len(each.items) for each in followers]
    assert counts[0] in (10, 11) and 15 <= sum(counts) < 25  # some come back meanwhile, on a busy machine
    for each in followers:
        each.following.stop()


async def test_no_more_follow_than_may(fleet, monkeypatch):
    monkeypatch.setattr(feeds, "MAX_FOLLOWING", 2)
    [gateway] = await gateways(fleet, "a")
    followers = [Follower(gateway) for _ in range(2)]
    with pytest.raises(TooManyFollowers):
        Follower(gateway)
    followers.pop().following.stop()
    followers.append(Follower(gateway))
    for each in followers:
        each.following.stop()


async def test_no_more_are_fed_than_may_be(fleet, monkeypatch):
    monkeypatch.setattr(feeds, "MAX_FED", 1)
    first, second = await gateways(fleet, "a", "b")
    feeder = Feeder(first)
    followers = [Follower(second, n=0), Follower(second, n=1)]
    await until(lambda: feeder.fed)
    await pause(0.1)
    assert feeder.queries == [{"n": 0}]
    for each in followers:
        each.following.stop()


async def test_without_the_store_one_follows_the_own_gateway_and_later_the_others_again(fleet, monkeypatch):
    monkeypatch.setattr(feeds, "RENEW_INTERVAL", 0.1)
    made = await gateways(fleet, "a", "b")
    feeders = [Feeder(each) for each in made]
    await fleet.outage()
    follower = Follower(made[0])
    for feeder in feeders:
        feeder("x")
    await until(lambda: follower.items == [("a", "x")])
    await fleet.back()
    await until(lambda: feeders[1].fed)
    feeders[1]("y")
    await until(lambda: follower.items == [("a", "x"), ("b", "y")])
    follower.following.stop()


async def test_a_feeder_or_a_follower_that_fails_harms_nobody_else(fleet, tidy):
    [gateway] = await gateways(fleet, "a")
    gateway.fleet.feed("broken", lambda query, send: 1 / 0)
    broken = gateway.fleet.follow("broken", {}, lambda *_: None)
    feeder, good = Feeder(gateway), Follower(gateway)
    bad = gateway.fleet.follow("frames", {}, lambda gateway, items, left_out: 1 / 0)
    feeder("x")
    await until(lambda: good.items and len(tidy) == 2)
    assert [each["log_failure"].type for each in tidy] == [ZeroDivisionError] * 2
    tidy.clear()
    for each in (broken, bad, good.following):
        each.stop()


async def test_what_is_no_message_is_ignored(fleet):
    first, second = await gateways(fleet, "a", "b")
    for noise in (b"", b"\xff", b"[]", b'{"kind":"of another release"}', b'{"kind":"question"}', b"[" * 10_000):
        first.fleet.publish("", noise)
        first.fleet.publish(second.fleet.address, noise)
    assert len((await soon(first.fleet.ask("name", {}))).answers) == 2
