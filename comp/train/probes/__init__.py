"""Probes: small models on the features of a network that stays as it is."""
