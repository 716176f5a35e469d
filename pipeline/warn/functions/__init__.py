"""Window functions: what a rule works out of a device's samples before it is compared."""
