"""Training: the one room with torch and transformers (extra `measure`); nothing is imported here."""
