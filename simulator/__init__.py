"""The world: physics, incidents, people and clocks that make streams and their truth."""
