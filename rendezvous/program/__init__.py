"""What both programs share: reading settings, writing logs, leaving with a sentence."""
