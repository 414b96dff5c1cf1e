"""The pure core: who holds a room, who may enter it, and what two members may say to each other.

Facts go in (``facts``), effects come out (``effects``); nothing here waits, sends or reads a clock.
"""
