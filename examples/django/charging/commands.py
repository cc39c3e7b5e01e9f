"""Gives commands to the gateway (contract.md, section 2); what comes of them is an event (`events.command_ended`)."""

import json

import redis
from django.conf import settings
from django.db import transaction

from .models import Command


def give(charger, name, data, user):
    """Record a command and give it to the gateway as soon as the record is safe: no command is ever sent of which nobody knows."""
    command = Command.objects.create(charger=charger, name=name, data=data, given_by=user)
    transaction.on_commit(lambda: _push(command))
    return command


def _push(command):
    element = {"cp_id": command.charger_id, "command": command.name, "data": command.data, "id": command.pk}
    try:
        with redis.Redis.from_url(settings.OCPP_REDIS_URL, socket_timeout=5) as connection:
            connection.rpush(settings.OCPP_COMMANDS, json.dumps(element))
    except redis.RedisError:
        command.outcome = "not sent"  # should Redis have it all the same, its result will say so
        command.save(update_fields=["outcome"])
