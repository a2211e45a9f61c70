"""F2: where a client's rows come from; each source hands over raw canonical tables."""
