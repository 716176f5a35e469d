"""Routes: one file a noun; each translates, calls and translates back."""
