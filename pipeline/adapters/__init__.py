"""Adapters: where the platform keeps what it may not lose."""
