"""Images and masks decoded once and mapped into memory."""
