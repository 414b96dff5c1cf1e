"""Translations of other protocols' signalling into ours: each is one more viewer to the hub."""
