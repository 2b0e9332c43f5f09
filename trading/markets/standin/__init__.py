"""The stand-in venue: a separate process that speaks the venue's protocol on loopback.

It shows a seeded synthetic catalogue (`demo`) or plays a recording (`replay`). It imports nothing
of the rest of Polysim, the adapter that reads it least of all: each proves the other. It needs no
database, no Valkey and no Django. Contract: polymarket-feed 2 to 4, 5.3, 7, 8, 11.
"""
