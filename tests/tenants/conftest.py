"""People and clients for the tests of identities."""
