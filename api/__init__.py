"""The front desk: HTTP, command line, settings and the wiring of both halves."""
