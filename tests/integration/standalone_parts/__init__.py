"""Programs that the tests of the local stack start as processes."""
