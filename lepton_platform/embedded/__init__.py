"""A private PostgreSQL and Valkey for one machine: the same engines as in production, from wheels."""
