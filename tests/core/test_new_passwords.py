"""The passwords that a charger has been sent and has not shown yet."""

from __future__ import annotations

import pytest

from ocpp_tw.core.new_passwords import MOST, TooMany, awaited, forms, refused, shown, with_new


def test_a_password_sent_earlier_than_the_one_in_use_may_turn_up_and_does_not_end_that():
    waiting = with_new(with_new("", ["first"]), ["second"])
    waiting = shown(waiting, "second", in_use="former")
    assert forms(waiting) == ["first"] and not awaited(waiting)

    waiting = shown(waiting, "first", in_use="second")  # by the charger after a restart, or by somebody who knows it
    assert forms(waiting) == ["second"] and not awaited(waiting)
    assert forms(shown(waiting, "second", in_use="first")) == ["first"]


def test_a_new_password_that_is_shown_ends_the_one_in_use():
    assert shown(with_new("", ["new"]), "new", in_use="former") == ""


def test_whichever_is_in_use_no_more_than_those_wait():
    sent = [str(each) for each in range(MOST)]
    waiting = shown(with_new("", sent), sent[-1], in_use="former")
    for earlier, in_use in zip(sent[:-1], [sent[-1], *sent], strict=False):
        waiting = shown(waiting, earlier, in_use=in_use)
        assert len(forms(waiting)) <= MOST


def test_those_that_were_refused_make_room_first():
    waiting = shown(with_new(with_new("", ["first"]), ["second"]), "second", in_use="former")
    for each in "abcdef":
        waiting = refused(with_new(waiting, [each]), [each])
    assert forms(waiting) == ["first", "d", "e", "f"]


def test_one_that_was_sent_earlier_and_never_shown_makes_room_after_those():
    waiting = shown(with_new("", ["first", "second"]), "second", in_use="former")
    waiting = with_new(waiting, ["a", "b"])
    waiting = refused(with_new(waiting, ["c"]), ["c"])
    waiting = with_new(waiting, ["d"])
    assert forms(waiting) == ["first", "a", "b", "d"]
    assert forms(with_new(waiting, ["e"])) == ["a", "b", "d", "e"]


def test_one_that_has_been_in_use_never_makes_room():
    """Somebody else has shown an earlier one: it is the charger's own."""
    waiting = shown(with_new("", ["first", "second"]), "second", in_use="former")
    waiting = shown(waiting, "first", in_use="second")
    for each in "abcdef":
        waiting = refused(with_new(waiting, [each]), [each])
    assert "second" in forms(waiting)
    waiting = shown(waiting, "second", in_use="first")
    waiting = shown(waiting, "first", in_use="second")
    with pytest.raises(TooMany):
        for each in "abcd":
            waiting = with_new(waiting, [each])
    assert forms(waiting) == ["second", "a", "b", "c"]


def test_those_of_an_earlier_version_of_which_it_is_not_known_whether_they_were_shown_stay():
    with pytest.raises(TooMany):
        with_new("~a ~b c d", ["e"])
    assert forms("~a b! c ~d?") == ["a", "b", "c", "d"]
    assert forms(shown("~a b! c", "c", in_use="d")) == ["a"]
