"""Search engines, one per file; :func:`create_engine` picks the one a plan names."""
