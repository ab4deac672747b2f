"""Learning-curve and scaling-law families, a short file each."""
