"""Augmentation of whole batches by torch, on any device, from the draws of the recipes."""
