"""Searches for settings: grids and lists, ranges of learning rates and batches, `comp tune`."""
