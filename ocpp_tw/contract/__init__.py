"""The contract for machines: JSON Schema, AsyncAPI and OpenAPI, made at run time from the classes and tables that the gateway itself works with.

Nothing here is needed to serve chargers, and nothing of it is loaded until somebody asks for a document.
"""
