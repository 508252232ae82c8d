"""Import of item and event files: streamed row by row; rejected rows are returned with reasons."""
