"""Who labels texts besides people."""
