"""Physics plug-ins, one a hazard; none imports another."""
