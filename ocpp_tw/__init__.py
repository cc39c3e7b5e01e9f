"""The gateway between electric-vehicle chargers (OCPP) and the system of the company that operates them."""

__version__ = "0.1.0"
