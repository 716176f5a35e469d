"""Dispatch (派单): response plans turned into orders to the nearest capable free teams."""
