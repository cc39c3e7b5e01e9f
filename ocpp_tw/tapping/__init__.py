"""``ocpp-tw tap`` and ``ocpp-tw replay``: what chargers and the gateway say to each other, in a terminal, and once more against a gateway."""
