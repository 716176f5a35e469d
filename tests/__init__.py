"""The tests: unit, conformance and system."""
