"""Decisions: no file, socket, clock, log, thread or cluster. Time is an argument."""
