"""Who owns a room, remembered across restarts: a contract and the stores that keep it."""
