"""Chargers played in software, one or a thousand: the demo, the load and the tests' client.

The behaviour (`charger`, `connector`, `v16`, `v2`) knows neither Autobahn nor the reactor; of these only `websocket_client` knows
the former and `fleet` the latter. No module imports another one back.
"""
