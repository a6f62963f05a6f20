"""Batches of images, augmented and in an order that only the seed decides."""
