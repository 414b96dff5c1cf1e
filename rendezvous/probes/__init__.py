"""What both doctors ask the world, and the form of what they find: shared with the publisher.

A probe does its own I/O with deadlines of its own, asks once and retries nothing; a judge is a pure
function from what was heard to findings. Nothing here knows a camera or a room.
"""
