"""How much memory the processes of an installation hold."""

import os
from collections.abc import Sequence

from polysim.bootstrap.processes import Process, memory_bytes, process_tree

MEGABYTE = 1024 * 1024


def memory_report(processes: Sequence[Process]) -> str:
    """A table in MB: each process with its descendants, and what all of them hold together.

    The proportional size counts a page that several processes share (code, PostgreSQL's buffers)
    once in total, so its sum is the memory in use; the resident size counts it once per process.
    """
    trees = {
        process.name: process_tree(process.popen.pid)
        for process in processes
        if process.popen is not None
    }
    rows = [("quickstart", [os.getpid()]), *trees.items()]
    lines = ["Memory (MB)      resident  proportional"]
    resident_sum = proportional_sum = 0
    for name, process_ids in rows:
        sizes = [memory_bytes(process_id) for process_id in process_ids]
        resident, proportional = sum(size[0] for size in sizes), sum(size[1] for size in sizes)
        resident_sum, proportional_sum = resident_sum + resident, proportional_sum + proportional
        lines.append(_line(name, resident, proportional))
    lines.append(_line("all together", resident_sum, proportional_sum))
    lines.append(
        f"All processes hold {proportional_sum / MEGABYTE:.0f} MB of memory "
        "(a page that several share is counted once)."
    )
    return "\n".join(lines)


def _line(name: str, resident: int, proportional: int) -> str:
    return f"  {name:<14} {resident / MEGABYTE:>8.0f}  {proportional / MEGABYTE:>12.0f}"
