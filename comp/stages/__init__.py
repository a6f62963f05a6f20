"""One function a command: files in, files out."""
