"""The passwords that a charger has been sent and has not shown yet."""

from __future__ import annotations

from ocpp_tw.core.new_passwords import MOST, awaited, forms, shown, with_new


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
