"""What becomes of a model after it began to serve: its answers, and the world it learned from. No torch here."""
