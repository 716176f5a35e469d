"""What goes over HTTP: one file a noun, each with an example for the documentation."""
