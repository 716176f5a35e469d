"""Drinking water: EPANET behind a thin adapter, and the network the world steps."""
