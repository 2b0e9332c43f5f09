"""Asks a starting installation for signs of life; a process of its own, run by quickstart.

Ends with exit code 0 once a price tick arrived and a function of the database answered; the
time limit is the first argument, in seconds.
"""

import os
import sys
import time


def main(seconds_max: float) -> int:
    deadline = time.monotonic() + seconds_max
    if not wait_for_function(deadline):
        print("No function of the database answered.")
        return 1
    if os.environ.get("POLYMARKET_FEED_MODE") != "off" and not wait_for_tick(deadline):
        print("No price tick arrived.")
        return 1
    return 0


def wait_for_tick(deadline: float) -> bool:
    """Listen on Valkey's channels of price ticks until one message arrives."""
    import redis

    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    with client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.psubscribe("*tick:*")
        while time.monotonic() < deadline:
            if listener.get_message(timeout=1.0) is not None:
                return True
    return False


def wait_for_function(deadline: float) -> bool:
    """Call the order function for a wallet that does not exist: it must answer, and refuse."""
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        while time.monotonic() < deadline:
            row = connection.execute(
                "SELECT count(*) FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace"
                " WHERE proname = 'place_order' AND nspname = 'retail'"
            ).fetchone()
            if row is not None and row[0] > 0:
                return True
            time.sleep(0.2)
    return False


if __name__ == "__main__":
    raise SystemExit(main(float(sys.argv[1])))
