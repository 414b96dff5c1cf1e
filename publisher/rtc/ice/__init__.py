"""Local candidates beyond the host's own, and the checks between all of them (RFC 8445, RFC 8838).

aioice asks one STUN and one TURN server, over one transport, and nobody hears of its candidates
before the last has come. Here an ``Agent`` in its place binds the host's addresses at once, and a
``Gatherer`` asks all servers beside the rest; what they find is added while checks are running.
"""
