"""The wait hub: it holds clients that wait, for little memory and no thread, and asks Django's views what to tell them.

A view that is asked for a client who may wait finds a `Watch` in the request's environment. It says there what the
client waits for, *before* it looks: a change between look and subscription would be missed otherwise. The hub keeps the
client until the watch has news, and asks the view again.
"""

from saltant.server.hub.board import Board

board = Board()
"""Who waits in this process."""
