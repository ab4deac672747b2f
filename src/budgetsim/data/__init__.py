"""Tasks and their rows: own files, splits, metrics, pinned downloads. No torch."""
