"""Evaluation on the education data: the blend against popularity and rules of the course catalogue."""
