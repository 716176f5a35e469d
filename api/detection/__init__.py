"""How well hazards are detected: many scenarios over many seeds, with intervals, and why not."""
