"""An image file as upright RGB pixels, and the square that it is resized to."""
