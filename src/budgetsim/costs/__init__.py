"""Prices and compute to US dollars and days."""
