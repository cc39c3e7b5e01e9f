"""Questions to all gateways of a fleet, and feeds of what happens at each: nothing of it is durable, and all of it is bounded."""
