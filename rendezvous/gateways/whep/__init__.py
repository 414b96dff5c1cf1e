"""WHEP (draft-ietf-wish-whep): a room for every player that speaks it; PROTOCOL.md §11."""
