"""Where the registry and the code differ, and the plans that make them agree again."""
