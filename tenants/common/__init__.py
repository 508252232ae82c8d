"""Constants and file operations shared by tenants, recommender and lepton_platform. Uses the standard library only."""
