"""Coupling models: warnings from several variables at once."""
