"""Hypothesis must not mistake a busy machine for a slow test."""

import hypothesis

hypothesis.settings.register_profile("rendezvous", deadline=None)
hypothesis.settings.load_profile("rendezvous")
