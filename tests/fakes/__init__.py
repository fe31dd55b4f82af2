"""Stand-ins for the outside world, as real servers: they misbehave on demand and remember everything."""
