"""A charger, or a thousand, played in software: the demo, the load and the tests' client.

The behaviour (`charger`, `connector`) knows neither Autobahn nor the reactor; `link` is the only module that does.
"""
