"""What the tests stand on: services of their own, a template database, the running stack."""
