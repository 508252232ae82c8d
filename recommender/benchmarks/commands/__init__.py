"""Sub-commands of `python -m recommender.benchmarks`: each module has `add_arguments` and `run_command`."""
