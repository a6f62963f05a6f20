"""Pages, pictures and printed tables of what the stages did."""
