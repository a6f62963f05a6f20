"""Checkpoints: written so that none is lost, chosen, averaged, and taken up again."""
