"""What each event of the gateway changes here (contract.md, section 1). Events without a handler change nothing."""

from datetime import UTC

from django.db import transaction
from django.utils.dateparse import parse_datetime

from .models import AppliedEvent, Charger, Command

HANDLERS = {}


def handles(name):
    """Registers a function for the events of this name."""

    def register(function):
        HANDLERS[name] = function
        return function

    return register


def apply(event):
    """Apply an event, once: whoever is not sure whether it was applied may apply it again.

    That it was applied is written in the same transaction as what it changes, so that there is never one without the other.
    """
    handler = HANDLERS.get(event["event"])
    if handler is None:
        return
    with transaction.atomic():
        _, is_new = AppliedEvent.objects.get_or_create(pk=event["id"])
        if is_new:
            charger, _ = Charger.objects.get_or_create(pk=event["data"]["charger"])
            handler(charger, event["data"], event)


@handles("connect_charger")
def connected(charger, data, event):
    charger.connected = True
    charger.save(update_fields=["connected"])


@handles("disconnect_charger")
def disconnected(charger, data, event):
    charger.connected = False
    charger.save(update_fields=["connected"])


@handles("boot_notification")
def booted(charger, data, event):
    charger.vendor, charger.model = data["vendor"], data["model"]
    charger.save(update_fields=["vendor", "model"])


@handles("start_transaction")
def started(charger, data, event):
    number = data["backend_id"]
    if event["ocpp"] == "1.6" and number is None and not event.get("provisional"):
        number = data["transaction_id"]  # the charger was given ours
    charger.transactions.update_or_create(
        transaction_id=data["transaction_id"],
        defaults={
            "ocpp": event["ocpp"],
            "number": number,
            "connector": data["conn"],
            "tag": data["tag"],
            "authorization": data["status"],
            "started": when(event),
            "meter_start": data["meter_start"],
        },
    )


@handles("transaction_update")
def updated(charger, data, event):
    """2.x: a driver may present a tag after the transaction has begun, and the connector may be known only then."""
    changes = {"tag": data["tag"], "authorization": data["status"]} if data["tag"] else {}
    if data["conn"]:
        changes["connector"] = data["conn"]
    if data["backend_id"] is not None:
        changes["number"] = data["backend_id"]
    if changes:
        charger.transactions.filter(transaction_id=data["transaction_id"]).update(**changes)


@handles("transaction_reconciled")
def reconciled(charger, data, event):
    """The gateway could ask at last about a start that it let in while this backend was away."""
    charger.transactions.filter(transaction_id=data["transaction_id"]).update(number=data["backend_id"], authorization=data["status"])


@handles("meter_value")
def measured(charger, data, event):
    running = charger.transactions.filter(transaction_id=data["transaction_id"], stopped=None).first()
    if running is None:
        return
    for value in data["values"]:
        if value.get("phase") or value.get("signed"):
            continue
        match value["measurand"]:
            case "Energy.Active.Import.Register" if running.meter_start is not None:
                running.energy = round(float(value["value"])) - running.meter_start
            case "Power.Active.Import":
                running.power = float(value["value"])
            case "SoC":
                running.soc = float(value["value"])
    running.save(update_fields=["energy", "power", "soc"])


@handles("stop_transaction")
def stopped(charger, data, event):
    if event.get("duplicate"):  # another stop of a transaction that has ended
        return
    id = data["matched_id"]
    if id is None:  # its start never came: it is a transaction of its own
        id = f"unknown {event['id']}"
    charger.transactions.update_or_create(
        transaction_id=id, defaults={"stopped": when(event), "reason": data["reason"], "energy": data["energy_wh"], "power": 0}
    )


@handles("command_result")
def command_ended(charger, data, event):
    Command.objects.filter(pk=data["id"]).update(outcome=data["outcome"], status=data["status"] or "")


@handles("command_followup")
def command_followed_up(charger, data, event):
    """What became of a start or stop that ended as timeout or connection_lost."""
    Command.objects.filter(pk=data["id"]).update(outcome=f"{data['outcome']}, {data['verdict']}")


def when(event):
    """When it happened by the charger's clock; where that says nothing usable, when the gateway received it."""
    try:
        told = parse_datetime(event["data"]["timestamp"] or "")
    except ValueError:
        told = None
    told = told or parse_datetime(event["time"])
    return told if told.tzinfo else told.replace(tzinfo=UTC)
