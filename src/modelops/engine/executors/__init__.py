"""Adapters of the Executor port, reached by name through ``modelops.engine.service``."""
