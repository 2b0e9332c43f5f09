"""`python -m trading.markets.standin`: the venue without Django."""

from trading.markets.standin.server import main

if __name__ == "__main__":
    raise SystemExit(main())
