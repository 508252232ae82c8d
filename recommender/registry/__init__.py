"""Versions of a tenant's model: rows, the active pointer, and the sealed files behind them."""
