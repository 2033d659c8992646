"""Moving a project's content into a store."""
