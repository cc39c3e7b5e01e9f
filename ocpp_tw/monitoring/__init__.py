"""What operators see of a gateway and of its fleet."""
