"""Warn (预警): rules turn samples into alarms, and alarms into draft warnings."""
