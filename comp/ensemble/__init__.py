"""From probabilities of many models to one decision, and an honest score for it."""
