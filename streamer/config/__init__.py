"""What people write down before a meeting: the service, the regions, and references to secrets."""
