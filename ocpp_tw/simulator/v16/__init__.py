"""OCPP 1.6 as a charger speaks it."""
