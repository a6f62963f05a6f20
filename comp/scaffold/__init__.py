"""What a folder of data seems to be, and the config that says so."""
