"""Benchmarks: `python -m benchmarks` prints a table and one JSON object."""
