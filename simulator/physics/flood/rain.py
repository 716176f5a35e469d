"""Rain: storms that move over the city, and what falls where."""

from simulator.physics.flood.rain_field import RainField
from simulator.physics.flood.storm import Storm
from simulator.physics.flood.storms import chicago, hourly, scaled, uniform, zhengzhou_720

__all__ = ["RainField", "Storm", "chicago", "hourly", "scaled", "uniform", "zhengzhou_720"]
