"""The demonstration: a provider's directory as CSV files, and what its migrations have to come to."""
