"""The state of a charger's registration has three inputs, and nothing else changes it."""

from __future__ import annotations

import pytest

from ocpp_tw.core.entries import Record
from ocpp_tw.core.registration import RegistrationState


def test_a_charger_is_served_once_its_record_was_looked_up_even_if_nothing_is_recorded() -> None:
    state = RegistrationState()
    assert not state.serving and state.status == ""
    state.recorded(Record())
    assert state.serving and state.status == "" and not state.restricted


@pytest.mark.parametrize(
    ("record", "status", "restricted"),
    [
        (Record(boot="Accepted"), "Accepted", False),
        (Record(boot="Pending"), "Pending", True),
        (Record(boot="Accepted", boot_status="Rejected"), "Rejected", True),
        (Record(boot="Pending", boot_status="Accepted"), "Pending", True),  # it is told at its next BootNotification
    ],
)
def test_an_operators_restriction_applies_at_once_and_a_permission_with_the_next_boot(
    record: Record, status: str, restricted: bool
) -> None:
    state = RegistrationState()
    state.recorded(record)
    assert (state.status, state.restricted) == (status, restricted)


def test_what_was_answered_before_the_record_was_found_stands() -> None:
    state = RegistrationState()
    assert state.answered("Accepted")
    state.recorded(Record(boot="Pending"))
    assert state.status == "Accepted"


def test_an_answer_tells_whether_the_status_has_changed() -> None:
    state = RegistrationState()
    assert state.answered("Pending") and state.restricted
    assert not state.answered("Pending")
    assert state.answered("Accepted") and not state.restricted


def test_a_pending_charger_that_is_to_be_accepted_is_asked_to_boot_again() -> None:
    state = RegistrationState()
    state.recorded(Record(boot="Pending"))
    assert state.decided({"boot_status": "Accepted"})
    assert state.status == "Pending" and state.record.boot_status == "Accepted"


def test_a_restriction_that_is_decided_applies_at_once() -> None:
    state = RegistrationState()
    state.recorded(Record(boot="Accepted"))
    assert not state.decided({"boot_status": "Rejected", "retry_interval": "60"})
    assert state.restricted and state.record.retry_interval == "60"


@pytest.mark.parametrize("taken_back", ["Accepted", ""])
def test_a_restriction_that_is_taken_back_leaves_what_the_charger_was_told(taken_back: str) -> None:
    state = RegistrationState()
    state.recorded(Record(boot="Accepted"))
    state.decided({"boot_status": "Rejected"})
    assert not state.decided({"boot_status": taken_back}), "it believes that it is accepted, and need not boot again"
    assert state.status == "Accepted" and not state.restricted


def test_a_restriction_that_the_charger_was_told_ends_with_its_next_boot() -> None:
    state = RegistrationState()
    state.recorded(Record(boot="Accepted", boot_status="Pending"))
    assert state.answered("Pending")
    assert state.decided({"boot_status": ""}) and state.status == "Pending"
    assert state.answered("Accepted") and not state.restricted


def test_another_decision_changes_no_status() -> None:
    state = RegistrationState()
    state.recorded(Record(boot="Pending"))
    assert not state.decided({"retry_interval": "60"})
    assert state.status == "Pending"


def test_a_decision_made_before_the_record_was_found_is_not_lost() -> None:
    state = RegistrationState()
    assert not state.decided({"boot_status": "Rejected", "version": "1.6"})
    assert not state.serving, "a decision is no record: commands are not sent yet"
    state.recorded(Record(boot="Accepted", vendor="V"))
    assert state.status == "Rejected" and (state.record.version, state.record.vendor) == ("1.6", "V")
