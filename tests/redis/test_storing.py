"""Storing a group: its states, and what is called when."""

from __future__ import annotations

import sqlite3

import pytest
from twisted.internet.defer import Deferred

from ocpp_tw.core.entries import Entry
from ocpp_tw.redis import Keys
from ocpp_tw.redis.groups import Group, QueuedEntry
from ocpp_tw.redis.storing import State, Storing

KEYS = Keys("gw")


class Disk:
    """A spool that answers when a test says so."""

    def __init__(self) -> None:
        self.appends: list[tuple[int, Deferred[int]]] = []

    def append(self, incarnation: str, number: int, *rest: object) -> Deferred[int]:
        self.appends.append((number, Deferred()))
        return self.appends[-1][1]

    def take(self, row: int) -> None:
        self.appends[-1][1].callback(row)

    def refuse(self) -> None:
        self.appends[-1][1].errback(sqlite3.OperationalError("database or disk is full"))


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def calls() -> list:
    return []


@pytest.fixture
def storing(disk, calls) -> Storing:
    return Storing(disk, "incarnation", lambda row, group: calls.append((row, group.number)), lambda: calls.append("refused"))


def group(number: int) -> Group:
    return Group.load([QueuedEntry.of(Entry("c", b'{"n":1}'), KEYS, None, None)], KEYS, number)


def test_a_group_that_the_disk_takes_is_stored(storing, disk, calls):
    storing.begin(group(1))
    assert storing.state is State.APPENDING and storing.group.number == 1 and not storing.refused
    disk.take(7)
    assert storing.state is State.IDLE and storing.group is None and calls == [(7, 1)]


def test_a_group_that_the_disk_refuses_is_kept_and_logged_once(storing, disk, calls, said):
    storing.begin(group(1))
    disk.refuse()
    for _ in range(2):
        assert storing.state is State.STUCK and storing.refused
        storing.retry()
        assert storing.state is State.RETRYING and storing.refused
        disk.refuse()
    storing.retry()
    disk.take(7)
    assert storing.state is State.IDLE and calls == ["refused", "refused", "refused", (7, 1)]
    assert [number for number, _ in disk.appends] == [1, 1, 1, 1]
    assert [sum(text in line for line in said) for text in ("takes no events", "takes events again")] == [1, 1]


def test_a_group_that_the_disk_refuses_can_be_given_up(storing, disk):
    storing.begin(group(1))
    disk.refuse()
    assert storing.give_up().number == 1
    assert storing.state is State.IDLE and storing.group is None
    storing.begin(group(2))
    assert storing.state is State.APPENDING


def test_each_change_of_state_has_its_own_states(storing, disk):
    for change in (storing.retry, storing.give_up):
        with pytest.raises(AssertionError):
            change()
    storing.begin(group(1))
    for change in (storing.retry, storing.give_up, lambda: storing.begin(group(2))):
        with pytest.raises(AssertionError):
            change()
