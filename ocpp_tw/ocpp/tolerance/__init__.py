"""Messages that violate their schema: which of them are tolerated, how they are repaired, and what is counted of them.

Must not import a version of OCPP: everything here works from the schemas alone.
"""
