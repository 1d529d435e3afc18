"""The service that runs the public reporting meetings of akims and ministers."""
