"""Rules tried on what was recorded: two sets compared, misses explained, figures tuned."""
