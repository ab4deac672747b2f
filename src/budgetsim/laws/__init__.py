"""Learning-curve and scaling laws, and their ensemble for any curve or surface."""
