"""Monitors the active version: online outcomes with automatic roll-back, and drift of inputs and scores."""
