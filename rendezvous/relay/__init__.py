"""Where effects are performed and a message finds its connection."""
