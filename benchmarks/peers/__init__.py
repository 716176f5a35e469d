"""The same three rules in other tools, for ratios from one run."""
