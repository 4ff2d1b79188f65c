"""Profiles as they ship: data, not code; README.rst explains every key."""
