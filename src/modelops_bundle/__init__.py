"""Packaging: a project's code and data as an OCI artifact, and its registry of models and targets.

It reads the user's code and never imports it. Other programs enter through `modelops_bundle.api`.
"""
