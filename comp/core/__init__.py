"""What every other room stands on: errors, files, locks, random numbers, progress."""
