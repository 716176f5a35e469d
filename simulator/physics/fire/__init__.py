"""Fire water: roof tanks and hydrant pressure of high-rise buildings."""
