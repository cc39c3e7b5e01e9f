import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import charging.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AppliedEvent",
            fields=[
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("applied", models.DateTimeField(auto_now_add=True, db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name="Charger",
            fields=[
                ("identity", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("connected", models.BooleanField(default=False)),
                ("vendor", models.CharField(blank=True, max_length=255)),
                ("model", models.CharField(blank=True, max_length=255)),
            ],
        ),
        migrations.CreateModel(
            name="TransactionNumber",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=255, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="Command",
            fields=[
                ("id", models.CharField(default=charging.models.new_id, max_length=64, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=50)),
                ("data", models.JSONField(default=dict)),
                ("given", models.DateTimeField(auto_now_add=True)),
                ("outcome", models.CharField(blank=True, help_text="empty while it is waited for", max_length=50)),
                ("status", models.CharField(blank=True, help_text="of the charger's answer", max_length=50)),
                ("charger", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="commands", to="charging.charger")),
                ("given_by", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "ordering": ["-given"],
            },
        ),
        migrations.CreateModel(
            name="Tag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("value", models.CharField(help_text="as the charger reads it", max_length=36)),
                ("holder", models.CharField(blank=True, max_length=100)),
                ("blocked", models.BooleanField(default=False)),
                ("expires", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(django.db.models.functions.text.Lower("value"), name="tag_value_unique")],
            },
        ),
        migrations.CreateModel(
            name="Transaction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("transaction_id", models.CharField(help_text="the id that the charger knows", max_length=255)),
                ("ocpp", models.CharField(blank=True, help_text="the version of OCPP that the charger speaks", max_length=10)),
                (
                    "number",
                    models.PositiveIntegerField(help_text="the TransactionNumber; none while the gateway could not ask for one", null=True),
                ),
                ("connector", models.PositiveIntegerField(default=0)),
                ("tag", models.CharField(blank=True, max_length=255)),
                ("authorization", models.CharField(blank=True, help_text="the status that the tag was given", max_length=20)),
                ("started", models.DateTimeField(null=True)),
                ("stopped", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, max_length=50)),
                ("meter_start", models.BigIntegerField(help_text="Wh", null=True)),
                ("energy", models.BigIntegerField(help_text="Wh", null=True)),
                ("power", models.FloatField(help_text="W", null=True)),
                ("soc", models.FloatField(help_text="percent", null=True)),
                (
                    "charger",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="transactions", to="charging.charger"),
                ),
            ],
            options={
                "ordering": ["-started"],
                "constraints": [models.UniqueConstraint(models.F("charger"), models.F("transaction_id"), name="transaction_of_charger")],
            },
        ),
    ]
