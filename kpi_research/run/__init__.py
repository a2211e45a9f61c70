"""F7: one client's run, fanned out over reports."""
