"""The gateway's own OCPP-J layer: frames, schemas, versions of OCPP, and how broken messages are repaired.

Pure: imports only `ocpp_tw.ocpp`, `ocpp_tw.facts`, `ocpp_tw.settings`, msgspec, jsonschema_rs and the standard library, never Twisted or
a driver. It is not the distribution `ocpp`, which is what ``import ocpp`` means here as everywhere, and of which only the JSON Schemas are
used, as data.
"""
