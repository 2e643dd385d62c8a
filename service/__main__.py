"""`python -m service` is the same as `terminbuch`."""

from service.cli import main

main()
