"""What the label columns of a table say: which classes there are, and which each image has."""
