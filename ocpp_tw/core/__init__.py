"""What the gateway reckons with: events, commands, entries of the outbox, ledgers, registrations, and what a message comes to.

Pure: it imports neither Twisted nor a driver, only `ocpp_tw.ocpp`, `facts` and `settings`.
"""
