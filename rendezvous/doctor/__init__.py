"""``rendezvous doctor``: whether an installation serves cameras and viewers, seen from itself."""
