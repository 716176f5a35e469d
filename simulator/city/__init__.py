"""What makes a city: import of EPANET files, a generator, division into areas, placement."""
