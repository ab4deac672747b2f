"""A task that nobody, or hardly anybody, has run anything on, forecast from other tasks: a Gaussian process."""
