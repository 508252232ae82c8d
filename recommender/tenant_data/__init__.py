"""Loads what models may learn of a tenant: interactions, items, reviews, images, triples and segments."""
