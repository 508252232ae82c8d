"""Files of items and events: read as a stream, row by row, with the rows that were not taken returned."""
