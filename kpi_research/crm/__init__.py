"""F1: the canonical tables and the contract that a client's rows are held to."""
