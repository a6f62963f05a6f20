"""Metrics of other forms: a competition's own file, a formula of metrics."""
