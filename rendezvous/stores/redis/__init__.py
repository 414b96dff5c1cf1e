"""Redis as the store of many nodes; its client is loaded only when a server is to use it.

Tested with Redis 7.0. Valkey speaks the same protocol and is expected to work, but is not tested.
Not for KeyDB with several primaries: it does not say which of two writes wins.
"""
