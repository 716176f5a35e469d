"""Hazards of the city: what each domain brings to the world, found by its name."""
