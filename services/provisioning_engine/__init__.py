"""Plans requests and carries them out, one event per user."""
