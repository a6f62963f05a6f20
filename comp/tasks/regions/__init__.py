"""Scores of regions that are no counts of pixels: distances between outlines, and found objects."""
