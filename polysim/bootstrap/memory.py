"""How much memory the processes of an installation hold."""

import os
from collections.abc import Sequence

from polysim.bootstrap.processes import Process, memory_bytes, process_tree

MEGABYTE = 1024 * 1024


def memory_report(processes: Sequence[Process]) -> str:
    """A table in MB: resident and proportional size of each process with its descendants.

    The last line is the sum. The proportional size counts a page that several processes share
    once in total; the resident size counts it once per process.
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
    return "\n".join(lines)


def _line(name: str, resident: int, proportional: int) -> str:
    return f"  {name:<14} {resident / MEGABYTE:>8.0f}  {proportional / MEGABYTE:>12.0f}"
