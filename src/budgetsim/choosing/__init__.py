"""What a budget is best spent on, here and now, and how sure that is."""
