"""Servers for tests that show faults which no real server can be made to show."""
