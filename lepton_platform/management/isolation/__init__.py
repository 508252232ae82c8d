"""The attack on one's own isolation: two tenants with mirrored ids, every operation, own, foreign and absent."""
