"""What can be run and what came out: points, surfaces of draws, keys of fits. Values alone."""
