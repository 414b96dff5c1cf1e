"""One viewer's delivery each."""
