"""Gas: pressure and flow in the pipes, methane in the spaces beside them."""
