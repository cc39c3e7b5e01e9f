"""What operators see of a gateway and of its fleet: the state of chargers, what charges, rates and health, pages of them and what changes."""
