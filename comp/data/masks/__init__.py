"""Masks: what the pixels of an image are, from files, polygons or run lengths."""
