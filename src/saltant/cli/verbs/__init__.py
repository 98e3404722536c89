"""The everyday commands: running task instances, and looking after them. A module a verb, and a few that they share."""
