"""What one more run would teach, and whether it is worth its money."""
