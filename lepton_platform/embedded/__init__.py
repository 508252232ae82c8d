"""Embedded PostgreSQL and Valkey for one machine: the engines of production, installed from wheels."""
