"""The one way in for whatever others wrote: bounded files, bounded documents, checked values, harmless words.

Import from its modules: `files`, `documents`, `values`, `words`. Each door of the house (cards, points, grids, specs,
tables, run files) reads through them, so a bound is said once.
"""
