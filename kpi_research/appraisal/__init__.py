"""F5: schemes, scores and what may be said of their differences."""
