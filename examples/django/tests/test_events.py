"""Events that need more than a charger to come about."""

import pytest

from charging.events import apply
from charging.models import Charger, Command, Transaction

pytestmark = pytest.mark.django_db


def event(name, event_id="e1", /, **data):
    """An event of charger-1 (1.6)."""
    return {"event": name, "id": event_id, "time": "2026-11-22T10:00:00.123Z", "ocpp": "1.6", "data": {"charger": "charger-1", **data}}


START = {
    "conn": 1, "tag": "T", "meter_start": 0, "transaction_id": 1000000001, "timestamp": "2026-11-22T10:00:00Z", "status": "Accepted",
    "backend_id": None,
}  # fmt: skip


def test_a_start_while_the_backend_was_away_gets_its_number_later():
    apply(event("start_transaction", "e1", **START) | {"provisional": True})
    assert Transaction.objects.get().number is None
    apply(event("transaction_reconciled", "e2", transaction_id=1000000001, backend_id=7, status="Accepted"))
    assert Transaction.objects.get().number == 7


def test_a_second_stop_of_a_transaction_changes_nothing():
    apply(event("start_transaction", "e1", **START))
    stop = {"transaction_id": 1000000001, "matched_id": 1000000001, "timestamp": None, "reason": "Local", "energy_wh": 5}
    apply(event("stop_transaction", "e2", **stop))
    apply(event("stop_transaction", "e3", **stop | {"energy_wh": 9}) | {"duplicate": True})
    assert Transaction.objects.get().energy == 5


def test_a_stop_without_a_start_is_a_transaction_of_its_own():
    stop = {"transaction_id": -1, "matched_id": None, "timestamp": "2026-11-22T10:00:00Z", "reason": "Local", "energy_wh": None}
    apply(event("stop_transaction", "e1", **stop))
    apply(event("stop_transaction", "e2", **stop))
    assert Transaction.objects.count() == 2


@pytest.mark.parametrize("told", [None, "yesterday", "2026-13-45T99:00:00Z"])
def test_where_the_charger_tells_no_time_the_gateways_counts(told):
    apply(event("start_transaction", **START | {"timestamp": told}))
    assert Transaction.objects.get().started.isoformat() == "2026-11-22T10:00:00.123000+00:00"


def test_what_became_of_a_command_without_an_answer_is_told(admin_user):
    charger = Charger.objects.create(identity="charger-1")
    command = Command.objects.create(charger=charger, name="remote_start_transaction", given_by=admin_user)
    apply(event("command_result", "e1", id=command.pk, outcome="timeout", status=None))
    apply(event("command_followup", "e2", id=command.pk, outcome="timeout", verdict="confirmed"))
    command.refresh_from_db()
    assert command.outcome == "timeout, confirmed"


def test_events_that_are_of_no_use_here_change_nothing():
    apply(event("handshake_rejected", reason="?"))
    assert not Charger.objects.exists()
