"""The command line without a stack."""
