"""Chargers' connections: TCP, TLS, the opening handshake, frames. The only package that imports Autobahn."""
