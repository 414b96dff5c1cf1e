"""``publisher doctor``: the road from the camera to its viewers, step by step.

Nothing is changed: no key is made, no file is written, and a camera that runs keeps its room.
"""
