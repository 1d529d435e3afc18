"""A whole meeting on one machine: stand-ins for accounts and hall, faults, and what is measured."""
