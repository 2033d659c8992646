"""How a project stands to its registry, its code and its store."""
