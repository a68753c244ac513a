"""HTTP and process mechanics that the three services share; no word of the domain."""
