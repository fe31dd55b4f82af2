"""Reports that read a replica: a real one, which replays when the test lets it."""
