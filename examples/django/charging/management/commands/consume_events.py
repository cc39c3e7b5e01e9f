"""The consumer of the gateway's events: `python manage.py consume_events`, one at a time, beside the web server."""

import signal

import redis
from django.core.management.base import BaseCommand, CommandError

from charging.consumer import Consumer


class Command(BaseCommand):
    """Runs until SIGTERM or SIGINT."""

    help = "Takes events from the gateway's list and applies them."

    def add_arguments(self, parser):
        parser.add_argument("--once", action="store_true", help="end when there are no more events")

    def handle(self, *, once, **options):
        consumer = Consumer()
        try:
            if once:
                consumer.drain()
                return
            for number in signal.SIGTERM, signal.SIGINT:
                signal.signal(number, consumer.stop)
            consumer.run()
        except redis.ConnectionError as why:
            raise CommandError(f"Redis (REDIS_URL) is gone; no event is lost: {why}") from why
