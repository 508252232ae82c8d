"""Benchmarks of the platform; load tests have a baseline in the same run on the same server."""
