"""From batches to checkpoints: checkpoint, optimizer and schedule, the loop."""
