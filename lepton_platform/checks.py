"""Reasons not to start."""
