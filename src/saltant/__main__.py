"""`python -m saltant`."""

from saltant.cli import main

main()
