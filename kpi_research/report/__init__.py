"""F6: what a reader sees, as blocks and as a page."""
