"""Running the platform, or the part of it that detects, over a recording."""
