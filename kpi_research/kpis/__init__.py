"""F3: the catalogue of KPIs, one file a kind."""
