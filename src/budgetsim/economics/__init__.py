"""How the best choice moves with budgets, prices and assumptions."""
