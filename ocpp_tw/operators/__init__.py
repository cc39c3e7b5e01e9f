"""Operators' HTTP: of one gateway, and of several workers behind one address."""
