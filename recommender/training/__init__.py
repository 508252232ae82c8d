"""From a tenant's consented rows to a published, encrypted model. Loads torch: worker processes only."""
