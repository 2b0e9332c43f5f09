"""The application's processes, as quickstart runs them (architecture, Processes)."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from polysim.bootstrap.feed import Feed
from polysim.bootstrap.paths import PROJECT_DIRECTORY
from polysim.bootstrap.processes import Process

EVALUATOR_QUEUES = "evaluator"
QUEUES = "feed,default,mail,jobs,payouts,webhooks"
# Fewer malloc arenas keep threads from spreading memory that is hardly used; database connections
# are opened when needed, not ahead. The checks ran when the installation was prepared; running
# them again would load every page into every process.
SCHEDULES = {"POLYSIM_EMBEDDED_BEAT": "true"}
LOW_MEMORY = {
    "MALLOC_ARENA_MAX": "2",
    "POLYSIM_DB_POOL_MIN": "0",
    "CELERY_SKIP_CHECKS": "1",
    "PYTHONUNBUFFERED": "1",
}


def application_processes(
    environment: Mapping[str, str], logs: Path, *, port: int, feed: Feed
) -> list[Process]:
    """All processes of the application, not started, the stand-in venue first if there is one."""
    python = sys.executable
    manage = [python, str(PROJECT_DIRECTORY / "manage.py")]
    celery = [python, "-m", "celery", "-A", "polysim.celery"]
    commands: dict[str, Sequence[str]] = {}
    if feed.venue_port is not None:
        venue = ["run_venue", "--port", str(feed.venue_port), "--mode", feed.mode]
        commands["run_venue"] = [*manage, *venue]
    commands["web"] = [python, "-m", "polysim.serving", "--port", str(port)]
    if feed.mode != "off":
        commands["stream_prices"] = [*manage, "stream_prices"]
    commands["match_orders"] = [*manage, "match_orders"]
    # Threads: no child processes of its own, and one copy of the code in memory.
    worker = ["worker", "--pool", "threads", "--concurrency", "4", "--queues", QUEUES]
    worker += ["--without-gossip", "--without-mingle", "--loglevel", "INFO"]
    commands["worker"] = [*celery, *worker]
    # The evaluator keeps its firms' phases in memory: one process, one thread, one queue.
    commands["evaluator"] = [
        *celery,
        *("worker", "--pool", "solo", "--concurrency", "1", "--queues", EVALUATOR_QUEUES),
        *(
            "--without-gossip",
            "--without-mingle",
            "--loglevel",
            "WARNING",
            "--hostname",
            "evaluator@%h",
        ),
    ]
    return [
        Process(
            name=name,
            command=command,
            # One process works off the jobs and schedules them.
            environment={**LOW_MEMORY, **(SCHEDULES if name == "worker" else {}), **environment},
            log_path=logs / f"{name}.log",
            working_directory=str(PROJECT_DIRECTORY),
        )
        for name, command in commands.items()
    ]
