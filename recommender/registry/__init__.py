"""The model registry: versions of a tenant's model, the pointer to the active one, and their encrypted files."""
