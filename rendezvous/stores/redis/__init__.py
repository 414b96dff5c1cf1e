"""Redis as the store of many nodes. Imported only when it is asked for."""
