"""`/docs/`: the guide and reference for partners, printed with this installation's address."""
