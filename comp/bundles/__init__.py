"""An ensemble as one folder: what it holds, and how it answers new images."""
