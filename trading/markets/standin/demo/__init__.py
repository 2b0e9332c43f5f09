"""Demo mode: a synthetic catalogue whose prices are a function of a seed and the time."""
