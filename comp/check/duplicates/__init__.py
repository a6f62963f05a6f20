"""Images that show the same thing: exact copies, near-duplicates, series."""
