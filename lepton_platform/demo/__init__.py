"""Five demo tenants on open data: conversion, loading, training and evaluation. Sources: ATTRIBUTION.md.

Nothing is imported here, so that `python -m lepton_platform.demo.convert` needs no Django settings.
"""
