"""Drainage and flood: EPA SWMM in a worker process, rain fields and ponding."""
