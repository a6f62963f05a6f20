"""From a trained fold to probabilities, with test-time augmentation."""
