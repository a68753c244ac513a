"""Event log mechanics: ledger, leases, relay, stored positions and quarantine, with no word of any domain.

Nothing is re-exported here; import from the modules.
"""
