"""What cameras send, and what is made of it once, whoever watches."""
