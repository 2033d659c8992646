"""Bundles on this machine: fetched, checked, shared by all projects."""
