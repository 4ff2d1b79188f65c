"""How fast spots are found, and how much faster than by DIALS: `make bench`, or ``--help``."""
