"""The evidence store: a plain DuckDB file built from text, and the fits derived from it.

Import from its modules: `location`, `database`, `records`, `merge`, `query`, `fits`.
"""
