"""From a command to its one result: read, routed, claimed, sent, reported, followed up.

Knows the drivers by their interfaces only.
"""
