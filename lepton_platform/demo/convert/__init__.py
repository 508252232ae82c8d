"""Source folders in, the small Parquet files of the demo tenants out. Same sources, same bytes."""
