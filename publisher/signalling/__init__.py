"""The camera's conversation with a rendezvous: typed messages in and out."""
