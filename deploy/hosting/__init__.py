"""`deploy/host`: a rendezvous and a TURN server on one Debian machine. Standard library only."""
