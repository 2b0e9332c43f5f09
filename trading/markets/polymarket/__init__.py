"""The venue adapter: what Polymarket's public interfaces say, read without trust.

`values`, `wire`, `gamma`, `rest`, `fees` and `local_book` are pure (no Django, clock, network);
`http` and `stream` talk to the venue.
"""
