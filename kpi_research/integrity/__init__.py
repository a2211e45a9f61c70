"""How far the data can be trusted, what that means for the verdicts, and what to mend by whom."""
