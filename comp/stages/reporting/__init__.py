"""`comp report`: from the files of runs to pages."""
