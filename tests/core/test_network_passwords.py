"""The passwords of a charger's network profiles: which of them are good after each thing that happens to them."""

from __future__ import annotations

from ocpp_tw.core.network_passwords import MOST, forms, refused, shown, stored, taken, with_new, without, without_refused


def test_no_more_than_so_many_are_kept_the_newest_and_the_one_in_use():
    kept = shown(with_new("", "0", "form0"), "form0")
    for number in range(1, MOST + 3):
        kept = with_new(kept, str(number), f"form{number}")
    assert forms(kept) == ["form0", *(f"form{number}" for number in range(4, MOST + 3))]


def test_one_that_is_stored_ends_the_former_one_of_its_slot_but_for_one_in_use():
    kept = with_new(with_new(with_new("", "1", "a"), "2", "b"), "1", "c")
    assert forms(kept) == ["a", "b", "c"] and forms(stored(kept, "c")) == ["b", "c"]
    in_use = shown(kept, "a")
    assert forms(stored(in_use, "c")) == ["a", "b", "c"] and forms(shown(stored(in_use, "c"), "c")) == ["b", "c"]


def test_a_former_one_that_is_shown_does_not_end_the_later_one():
    kept = with_new(with_new("", "1", "a"), "1", "b")
    assert forms(shown(kept, "a")) == ["a", "b"]


def test_when_the_charger_shows_its_own_none_is_in_use_and_none_ends():
    kept = with_new(shown(with_new("", "1", "a"), "a"), "1", "b")
    assert forms(shown(kept, "")) == ["a", "b"] and forms(stored(shown(kept, ""), "b")) == ["b"]


def test_one_that_the_charger_does_not_have_ends_nothing_but_itself():
    kept = with_new(with_new("", "1", "a"), "1", "b")
    assert without(kept, "b") == with_new("", "1", "a") and without(with_new("", "1", "a"), "a") == ""
    assert stored(kept, "c") == kept


def test_one_that_was_refused_is_good_until_the_charger_comes_in():
    kept = refused(with_new(with_new("", "1", "a"), "1", "b"), "b")
    assert forms(kept) == ["a", "b"] and taken(kept)
    assert forms(shown(kept, "a")) == ["a"] and forms(shown(kept, "")) == ["a"] and forms(without_refused(kept)) == ["a"]
    assert forms(shown(kept, "b")) == ["b"] == forms(shown(shown(kept, "b"), "b")) and "!" not in shown(kept, "b")
    assert forms(without(kept, "b")) == ["a"] and not taken(refused(with_new("", "1", "a"), "a"))


def test_those_that_were_refused_make_room_first():
    kept = ""
    for number in range(MOST):
        kept = with_new(kept, str(number), f"form{number}")
    kept = refused(kept, "form5")
    assert forms(with_new(kept, "9", "new")) == [*(f"form{number}" for number in range(MOST) if number != 5), "new"]
