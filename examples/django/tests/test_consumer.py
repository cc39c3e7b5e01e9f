"""No event is lost and none is applied twice, whatever ends in between."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from charging.consumer import REMEMBERED, Consumer
from charging.events import HANDLERS, apply
from charging.models import AppliedEvent, Charger, Transaction

PATIENCE = 60


@contextmanager
def consumer_process(gateway):
    """`manage.py consume_events`, with the database of the tests."""
    environment = {**os.environ, "DATABASE": str(connection.settings_dict["NAME"]), "REDIS_URL": gateway.redis}
    process = subprocess.Popen([sys.executable, "manage.py", "consume_events"], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(true):
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def test_a_consumer_that_is_killed_again_and_again_loses_nothing(gateway, ocpp_charger, tag):
    charger = ocpp_charger("charger-1")
    for energy in range(20):
        charger.start(tag.value).stop(energy)
    published = [event for event in gateway.events() if event.event in HANDLERS]
    for part in (0.2, 0.6):
        with consumer_process(gateway) as process:
            until(lambda part=part: AppliedEvent.objects.count() > part * len(published))
            process.send_signal(signal.SIGKILL)
            process.wait()
    with consumer_process(gateway) as process:
        until(lambda: AppliedEvent.objects.count() == len(published))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert sorted(Transaction.objects.values_list("energy", flat=True)) == list(range(20))
    assert Consumer().redis.keys("events*") == []


def test_an_event_that_was_applied_but_not_taken_off_changes_nothing_more(gateway, ocpp_charger, consume):
    ocpp_charger("charger-1")
    consumer = Consumer()
    element = consumer.redis.lmove(consumer.events, consumer.processing, "LEFT", "RIGHT")
    apply(json.loads(element))  # and here its process ends
    Charger.objects.update(connected=False)
    consume()
    assert not Charger.objects.get().connected
    assert consumer.redis.llen(consumer.processing) == 0


def test_what_cannot_be_applied_is_put_aside_and_the_others_go_on(gateway, ocpp_charger, consume):
    consumer = Consumer()
    broken = [b"no JSON", b'{"event": "boot_notification", "id": "x", "data": {"charger": "charger-1"}}']
    consumer.redis.rpush("events", *broken)
    ocpp_charger("charger-1")
    consume()
    assert consumer.redis.lrange(consumer.failed, 0, -1) == broken
    assert Charger.objects.get().model == "Scripted"
    assert not AppliedEvent.objects.filter(pk="x").exists()


@pytest.mark.django_db
def test_the_ids_of_old_events_are_forgotten_now_and_then():
    old = AppliedEvent.objects.create(pk="old")
    AppliedEvent.objects.update(applied=timezone.now() - REMEMBERED - timedelta(seconds=1))
    AppliedEvent.objects.create(pk="new")
    consumer = Consumer()
    consumer.forget()
    assert [each.pk for each in AppliedEvent.objects.all()] == ["new"]
    AppliedEvent.objects.create(pk=old.pk)
    AppliedEvent.objects.update(applied=timezone.now() - REMEMBERED - timedelta(seconds=1))
    consumer.forget()
    assert AppliedEvent.objects.count() == 2


def test_an_event_waits_while_the_database_is_away(gateway, ocpp_charger, consume, monkeypatch):
    ocpp_charger("charger-1")

    def away(event):
        raise OperationalError("database is locked")

    with monkeypatch.context() as patched, pytest.raises(OperationalError):
        patched.setattr("charging.consumer.apply", away)
        consume()
    consume()
    assert Charger.objects.get().connected
