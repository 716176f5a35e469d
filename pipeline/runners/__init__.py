"""Runners: they carry messages between the wire and the stages, and own the platform's clock."""
