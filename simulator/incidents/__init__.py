"""What can happen in the city, one file a hazard, and the truth about it."""
