"""What devices measure and how the two halves talk: the one contract both share."""
