"""The isolation check: two tenants with the same ids; every operation with own, foreign and absent ids."""
