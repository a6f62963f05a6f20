"""Networks that answer for a bag of images."""
