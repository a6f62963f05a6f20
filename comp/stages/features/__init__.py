"""Features of networks that stay as they are: made once, and what is fitted on them."""
