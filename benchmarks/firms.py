"""What many firms cost: opening one, and the work of a start over all of them.

    python -m benchmarks.firms [--firms 200]

A database and a Valkey of its own. Measures opening each firm (schema, host, Owner), the
matcher's first index, the evaluator's first and second pass, the measuring of all firm accounts,
and migrating every schema with nothing new and with one new migration. Passes when a firm is
opened in under 2 s (median) and the last ones are opened no slower than twice the first ones.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.pages import installation

SECONDS_MAX = 2.0
GROWTH_MAX = 2.0

_MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("prop", "{last}")]
    operations = [migrations.RunSQL(
        "ALTER TABLE prop_program ADD COLUMN benchmark integer",
        "ALTER TABLE prop_program DROP COLUMN benchmark")]
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--firms", type=int, default=200)
    options = parser.parse_args()
    with installation() as environment:
        os.environ.update(environment)
        return _measure(options.firms, environment)


def _measure(count: int, environment: dict[str, str]) -> int:
    import django

    django.setup()
    opened = [_timed(lambda number=number: _open(number)) for number in range(count)]
    median = statistics.median(opened)
    tenth = max(1, count // 10)
    growth = statistics.median(opened[-tenth:]) / statistics.median(opened[:tenth])
    print(f"open a firm: median {median:.2f} s, slowest {max(opened):.2f} s, growth {growth:.2f}")
    for name, seconds in _starts().items():
        print(f"{name}: {seconds:.2f} s for {count + 3} buildings")
    for name, seconds in _migrations(environment).items():
        print(f"{name}: {seconds:.2f} s")
    is_met = median <= SECONDS_MAX and growth <= GROWTH_MAX
    print("met" if is_met else "missed")
    return 0 if is_met else 1


def _open(number: int) -> None:
    from polysim.kernel.clock import utc_now
    from tenants.services import create_firm

    create_firm(
        slug=f"firm{number}",
        name=f"Firm {number}",
        host=f"firm{number}.localhost",
        first_staff_email=f"owner@firm{number}.example",
        actor=None,
        now=utc_now(),
        is_mail_wanted=False,
    )


def _starts() -> dict[str, float]:
    from polysim.kernel.clock import utc_now
    from prop.evaluator.shard import Shard
    from trading.matcher.loop import Matcher
    from trading.tasks import measure_firm_accounts

    shard = Shard(0)
    found = {
        "matcher, first index": _timed(Matcher().reload),
        "evaluator, first pass": _timed(lambda: shard.evaluate_all(now=utc_now())),
        "evaluator, full pass": _timed(lambda: shard.evaluate_all(now=utc_now())),
        "evaluator, pass of what changed": _timed(lambda: shard.evaluate_changed(now=utc_now())),
        "measuring all firm accounts": _timed(measure_firm_accounts),
    }
    shard.close()
    return found


def _migrations(environment: dict[str, str]) -> dict[str, float]:
    nothing = _timed(lambda: _migrate(environment))
    with tempfile.TemporaryDirectory(prefix="polysim-firms-") as folder:
        package = Path(folder) / "benchmark_migrations"
        shutil.copytree(Path(__file__).resolve().parents[1] / "prop" / "migrations", package)
        last = max(path.stem for path in package.glob("0*.py"))
        (package / "9999_benchmark.py").write_text(_MIGRATION.format(last=last))
        settings = "from polysim.settings import *\nMIGRATION_MODULES = {'prop': '%s'}\n"
        (Path(folder) / "benchmark_settings.py").write_text(settings % package.name)
        extended = {
            **environment,
            "PYTHONPATH": os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")]),
            "DJANGO_SETTINGS_MODULE": "benchmark_settings",
        }
        one = _timed(lambda: _migrate(extended))
    return {"migrations, nothing new": nothing, "migrations, one new": one}


def _migrate(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "django", "migrate_schemas", "--tenant", "-v", "0"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    raise SystemExit(main())
