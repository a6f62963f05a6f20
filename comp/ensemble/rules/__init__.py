"""Rules that turn probabilities into decisions, tuned exactly against the metric."""
