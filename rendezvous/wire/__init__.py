"""What rendezvous, camera and viewer say to each other; PROTOCOL.md is its description in prose.

This package imports nothing of the rest of Porthole, so that a camera needs no server part.
"""
