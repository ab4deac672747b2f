"""Answers for people and for programs: text and tables, JSON objects. Returns them, never prints."""
