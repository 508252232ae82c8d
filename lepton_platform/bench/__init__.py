"""Load tests of the running platform, each with a baseline in the same run on the same server."""
