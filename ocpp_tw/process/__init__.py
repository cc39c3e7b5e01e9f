"""What runs a gateway: its composition, its service, workers, endpoints, the embedded Valkey. The only package that knows all others."""
