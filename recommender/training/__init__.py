"""Trains a tenant's model from its rows to a published, encrypted version. Imports torch: for worker processes only."""
