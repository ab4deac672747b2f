"""Simulate what a budget buys: labels, LLM labels or a distilled teacher, and the score."""
