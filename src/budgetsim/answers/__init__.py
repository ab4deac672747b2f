"""From evidence, fits and prices to choices, points and sensitivities."""
