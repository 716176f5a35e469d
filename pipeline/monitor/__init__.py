"""Monitor (监测): frames become checked samples, and devices' health is kept."""
