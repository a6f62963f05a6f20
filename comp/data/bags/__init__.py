"""Which images have one answer together (`data.bag`), and in which order they come."""
