"""Where a competition keeps its images, labels and masks."""
