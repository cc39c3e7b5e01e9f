"""Takes events from the gateway's list and applies them, each once, whatever crashes in between.

BLMOVE takes an event off the list and puts it into a processing list in one step; it is removed from there once it is in the database. A consumer that starts
begins with what its predecessor has left there: applying an event again changes nothing (`events.apply`). Run one at a time: the events of a charger are in order.
"""

import json
import logging
from datetime import timedelta

import redis
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from .events import apply
from .models import AppliedEvent

log = logging.getLogger(__name__)

REMEMBERED = timedelta(days=7)
"""How long the ids of applied events are kept: longer than an element may stay in the processing list, while no consumer runs."""
FORGET_EVERY = timedelta(hours=1)
"""How often older ones are deleted."""
WAIT = 1
"""Seconds that it waits for an event before it looks whether it is to stop."""


class Consumer:
    """The one that takes the events."""

    def __init__(self):
        self.redis = redis.Redis.from_url(settings.OCPP_REDIS_URL, socket_timeout=WAIT + 10)
        self.events = settings.OCPP_EVENTS
        self.processing = f"{self.events}:processing:backend"
        self.failed = f"{self.events}:failed:backend"
        self.stopping = False
        self.forget_at = timezone.now()

    def stop(self, *_):
        """Stop after the event that is being processed."""
        self.stopping = True

    def run(self):
        """Process events until `stop` is called. Ends with an exception when Redis or the database is gone: its supervisor starts it again."""
        self.recover()
        while not self.stopping:
            element = self.redis.blmove(self.events, self.processing, WAIT, "LEFT", "RIGHT")
            if element is not None:
                self.process(element)
            self.forget()

    def drain(self):
        """Process the events that are there."""
        self.recover()
        while (element := self.redis.lmove(self.events, self.processing, "LEFT", "RIGHT")) is not None:
            self.process(element)

    def recover(self):
        """Process what was being processed when the last consumer ended."""
        for element in self.redis.lrange(self.processing, 0, -1):
            self.process(element)

    def forget(self):
        """Delete the ids of events that are never delivered again, now and then."""
        if timezone.now() >= self.forget_at:
            AppliedEvent.objects.filter(applied__lt=timezone.now() - REMEMBERED).delete()
            self.forget_at = timezone.now() + FORGET_EVERY

    def process(self, element):
        """Apply an event and take it off the processing list; what cannot be applied is put aside, since the others must not wait for it."""
        try:
            apply(json.loads(element))
        except (OperationalError, InterfaceError):  # the database is at fault, not the event
            raise
        except Exception:
            log.exception("an event cannot be applied, and is in the list %s now", self.failed)
            with self.redis.pipeline(transaction=True) as both:
                both.rpush(self.failed, element).lrem(self.processing, 1, element).execute()
        else:
            self.redis.lrem(self.processing, 1, element)
