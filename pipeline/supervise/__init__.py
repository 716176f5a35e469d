"""Supervise (督办): clocks, slips, and closing only when the sensors agree."""
