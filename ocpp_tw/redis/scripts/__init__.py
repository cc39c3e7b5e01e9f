"""Lua that Redis runs: presence, claims, leases and takeovers, the writing of groups."""
