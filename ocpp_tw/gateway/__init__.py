"""One connected charger, and all of them: incoming and outgoing CALLs, arrivals, decisions, starts, liveness, reconciliation.

Knows the drivers by their interfaces only.
"""
