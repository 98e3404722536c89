"""What the navigation leads to, in its order."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A page of the navigation.

    Attributes:
        name: of its path.
        title: as the link says it.
        for_admins: whether others do not see it.
    """

    name: str
    title: str
    for_admins: bool = False


PLACES = (
    Place("home", "Home"),
    Place("instances", "Instances"),
    Place("types", "Types"),
    Place("queues", "Queues"),
    Place("whitelists", "Whitelists"),
    Place("workers", "Workers"),
    Place("schedules", "Schedules"),
    Place("users", "Users", for_admins=True),
    Place("audit", "Audit log", for_admins=True),
)
"""Those of everybody, then those of admins. A page is marked by what its view says in `place`."""
MINE = (Place("profile", "Profile"), Place("tokens", "Tokens"))
"""Those about oneself, in the menu behind one's name."""
