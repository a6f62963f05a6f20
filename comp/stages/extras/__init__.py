"""What a fold is trained on beside the labelled images: other data, pseudo-labels, teachers."""
