"""Registers chargers at a running gateway, over its operators' HTTP: ``ocpp-tw chargers``."""
