"""The operator's own system over HTTP; the only package that imports treq."""
