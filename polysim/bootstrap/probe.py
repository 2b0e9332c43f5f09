"""Asks a starting installation for signs of life; a process of its own, run by quickstart.

Ends with exit code 0 once a price tick arrived and a function of the database answered; the
time limit is the first argument, in seconds.
"""

import json
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
    with client.pubsub(ignore_subscribe_messages=True) as listener:  # type: ignore[no-untyped-call]
        listener.psubscribe("*tick:*")
        while time.monotonic() < deadline:
            if listener.get_message(timeout=1.0) is not None:
                return True
    return False


def wait_for_function(deadline: float) -> bool:
    """Send the order function a wallet that does not exist: it has to answer, and to refuse."""
    import psycopg

    request = json.dumps({"user_id": 0, "wallet_id": 0, "wait_ms": 500, "rematch_after_ms": 500})
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("SET search_path = retail, public")
        while time.monotonic() < deadline:
            try:
                row = connection.execute("SELECT place_order(%s::jsonb)", [request]).fetchone()
            except psycopg.Error as error:
                print(error)
                time.sleep(0.5)
                continue
            return row is not None and row[0].get("refused") == "WALLET_NOT_FOUND"
    return False


if __name__ == "__main__":
    raise SystemExit(main(float(sys.argv[1])))
