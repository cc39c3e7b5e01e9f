"""The app."""

from django.apps import AppConfig


class ChargingConfig(AppConfig):
    """Tags, chargers and what is charged."""

    name = "charging"
