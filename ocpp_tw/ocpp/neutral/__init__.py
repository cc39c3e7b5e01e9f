"""The version-neutral commands: their data, and how it becomes an action and a payload of each version.

Must not import how chargers' messages are read (`ocpp_tw.ocpp.v16`, `ocpp_tw.ocpp.v2`), which imports this package.
"""
