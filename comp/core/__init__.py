"""The base of every other room: errors, files, locks, random numbers, progress."""
