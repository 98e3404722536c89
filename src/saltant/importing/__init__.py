"""Moves users, types, whitelists, queues and instances over from another saltant server, of version 1 of the wire.

source.py        reads the other server, over its API
plan.py          what of that is here already, what is new, and what is here with other content
definitions.py   makes what is new: users, types, whitelists, queues
instances.py     brings instances over, page by page
position.py      where a run was when it was ended
"""
