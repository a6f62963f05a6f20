"""What keeps a device busy: copies beside the work, buffers, averages, verdicts read late."""
