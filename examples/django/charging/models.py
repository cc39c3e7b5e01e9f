"""What the backend knows: tags, chargers, transactions and commands."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone


class TagQuerySet(models.QuerySet):
    """Tags."""

    def find(self, value):
        """The tag with this value, in whatever letter case a charger sends it (OCPP 1.6: CiString); None if there is none."""
        return self.filter(value__iexact=value).first()


class Tag(models.Model):
    """An RFID card, or whatever else a driver presents to a charger."""

    value = models.CharField(max_length=36, help_text="as the charger reads it")
    holder = models.CharField(max_length=100, blank=True)
    blocked = models.BooleanField(default=False)
    expires = models.DateTimeField(null=True, blank=True)

    objects = TagQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("value"), name="tag_value_unique")]

    def __str__(self):
        return f"{self.value} ({self.holder})" if self.holder else self.value

    @property
    def status(self):
        """OCPP's AuthorizationStatus."""
        if self.blocked:
            return "Blocked"
        return "Expired" if self.expires and self.expires <= timezone.now() else "Accepted"


class Charger(models.Model):
    """A charger that has been connected."""

    identity = models.CharField(primary_key=True, max_length=255)
    connected = models.BooleanField(default=False)
    vendor = models.CharField(max_length=255, blank=True)
    model = models.CharField(max_length=255, blank=True)

    def __str__(self):
        return self.identity


class TransactionNumber(models.Model):
    """A transaction id that the gateway was given for a start.

    Its key is the same for every request about one start, so that one start gets one id however often the gateway asks. SQLite's AutoField
    never gives a number twice, and OCPP 1.6 has 32 bits for it.
    """

    id = models.AutoField(primary_key=True)
    key = models.CharField(max_length=255, unique=True)


class Transaction(models.Model):
    """One charging session, as events tell of it."""

    charger = models.ForeignKey(Charger, on_delete=models.PROTECT, related_name="transactions")
    transaction_id = models.CharField(max_length=255, help_text="the id that the charger knows")
    ocpp = models.CharField(max_length=10, blank=True, help_text="the version of OCPP that the charger speaks")
    number = models.PositiveIntegerField(null=True, help_text="the TransactionNumber; none while the gateway could not ask for one")
    connector = models.PositiveIntegerField(default=0)
    tag = models.CharField(max_length=255, blank=True)
    authorization = models.CharField(max_length=20, blank=True, help_text="the status that the tag was given")
    started = models.DateTimeField(null=True)
    stopped = models.DateTimeField(null=True)
    reason = models.CharField(max_length=50, blank=True)
    meter_start = models.BigIntegerField(null=True, help_text="Wh")
    energy = models.BigIntegerField(null=True, help_text="Wh")
    power = models.FloatField(null=True, help_text="W")
    soc = models.FloatField(null=True, help_text="percent")

    class Meta:
        constraints = [models.UniqueConstraint("charger", "transaction_id", name="transaction_of_charger")]
        ordering = ["-started"]

    def __str__(self):
        return f"{self.transaction_id} at {self.charger_id}"

    @property
    def id_in_commands(self):
        """The id as a command has it: a number in OCPP 1.6."""
        return int(self.transaction_id) if self.ocpp == "1.6" else self.transaction_id


def new_id():
    """The id of a command: unique, since the gateway never executes one twice."""
    return str(uuid.uuid4())


class Command(models.Model):
    """A command that was given to the gateway, and what came of it."""

    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    charger = models.ForeignKey(Charger, on_delete=models.PROTECT, related_name="commands")
    name = models.CharField(max_length=50)
    data = models.JSONField(default=dict)
    given_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    given = models.DateTimeField(auto_now_add=True)
    outcome = models.CharField(max_length=50, blank=True, help_text="empty while it is waited for")
    status = models.CharField(max_length=50, blank=True, help_text="of the charger's answer")

    class Meta:
        ordering = ["-given"]

    def __str__(self):
        return f"{self.name} to {self.charger_id}"


class AppliedEvent(models.Model):
    """An event that was applied: the gateway's `id`, which is the same over every re-delivery."""

    id = models.CharField(primary_key=True, max_length=64)
    applied = models.DateTimeField(auto_now_add=True, db_index=True)
