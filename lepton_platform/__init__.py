"""Lepton: multi-tenant recommendations on isolated, encrypted, region-bound data."""
