"""Fold plans: made once, written to a file, checked by every later stage."""
