"""Turning series of real devices into a recording: mapping, units, tables, labels."""
