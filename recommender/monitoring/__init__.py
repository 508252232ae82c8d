"""Monitoring of models in service: outcomes of their recommendations, drift of the data, automatic roll-back. No torch."""
