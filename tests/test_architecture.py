"""Imports go one way (architecture.md), the pure heart stays pure, files stay readable."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
LINES_MAX = 500

# From left to right; a package imports itself and what stands left of it.
ORDER = ("polysim.kernel", "tenants", "trading.markets", "wallets", "trading", "prop", "polysim")
# Used before the project's own code exists in memory, or by every part of it.
ANYWHERE = ("polysim.environment",)
# Doors may be opened by nobody inside: they stand above services, services above models.
DOORS = ("api", "views", "consumers", "admin", "admin_site", "tasks", "management", "urls")
SERVICES = ("services", "selectors")
MODELS = ("models",)

PURE = ("trading/engine", "trading/markets/pricing.py", "prop/rules", "wallets/ledger.py")
IMPURE_MODULES = {
    "asyncio",
    "celery",
    "channels",
    "datetime",
    "django",
    "httpx",
    "os",
    "pathlib",
    "psycopg",
    "random",
    "redis",
    "requests",
    "rest_framework",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "time",
    "urllib",
    "uuid",
    "websockets",
}
# `datetime` values may be passed in; asking the clock may not happen.
CLOCK_CALLS = {"now", "utcnow", "today"}
PURE_MAY_IMPORT = ("polysim.kernel.money", "trading.engine", "trading.markets.pricing")


def project_files() -> list[Path]:
    """All Python files of the project, without environments, packages and run-time state."""
    hidden = (".venv", "node_modules", ".polysim", "staticfiles")
    found = (path for path in PROJECT.rglob("*.py"))
    return sorted(path for path in found if path.relative_to(PROJECT).parts[0] not in hidden)


def module_name(path: Path) -> str:
    parts = list(path.relative_to(PROJECT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of every import, those inside functions too."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{origin}.{alias.name}"


def place_of(name: str) -> str | None:
    """The package of ORDER that a module belongs to, the longest match; None outside."""
    places = [place for place in ORDER if name == place or name.startswith(place + ".")]
    return max(places, key=len) if places else None


def layer_of(name: str, place: str) -> str | None:
    """`doors`, `services` or `models` by the first part of the name below its app."""
    rest = name.removeprefix(place).strip(".").split(".")
    # An app inside an app (wallets.billing, trading.leagues) has layers of its own.
    parts = rest[1:] if rest[0] in ("billing", "office", "leagues", "polymarket", "books") else rest
    first = parts[0] if parts else ""
    for layer, names in (("doors", DOORS), ("services", SERVICES), ("models", MODELS)):
        if first in names:
            return layer
    return None


def application_files() -> list[Path]:
    skipped = ("tests", "benchmarks", "manage.py")
    return [
        path
        for path in project_files()
        if path.relative_to(PROJECT).parts[0] not in skipped and "migrations" not in path.parts
    ]


def wrong_arrow(importer: str, imported: str) -> str | None:
    """Why this import is not allowed, or None."""
    source, target = place_of(importer), place_of(imported)
    if source is None or target is None or imported.startswith(ANYWHERE):
        return None
    if source == target and source == "polysim":
        return None
    if ORDER.index(target) > ORDER.index(source):
        return f"{source} may not import {target}"
    if source != target:
        return None
    ranks = {"doors": 2, "services": 1, "models": 0}
    source_layer, target_layer = layer_of(importer, source), layer_of(imported, target)
    if source_layer is None or target_layer is None:
        return None
    if ranks[target_layer] > ranks[source_layer]:
        return f"{source_layer} may not import {target_layer} ({source})"
    return None


def test_imports_go_one_way() -> None:
    wrong = []
    for path in application_files():
        for line, imported in imports_of(path):
            reason = wrong_arrow(module_name(path), imported)
            if reason is not None:
                wrong.append(f"{path.relative_to(PROJECT)}:{line} imports {imported}: {reason}")
    assert wrong == []


@pytest.mark.parametrize(
    ("importer", "imported", "reason"),
    [
        ("polysim.kernel.money", "tenants.models.User", "polysim.kernel may not import tenants"),
        ("wallets.services", "trading.models.Order", "wallets may not import trading"),
        ("trading.markets.books", "trading.engine.book", "trading.markets may not import trading"),
        ("trading.models", "trading.services.orders", "models may not import services (trading)"),
        ("trading.services", "trading.api.client", "services may not import doors (trading)"),
        ("trading.engine.book", "trading.markets.pricing", None),
        ("trading.api.client", "trading.services.orders", None),
        ("polysim.urls", "prop.api.client", None),
        ("wallets.services", "tenants.selectors", None),
    ],
)
def test_the_rule_of_arrows(importer: str, imported: str, reason: str | None) -> None:
    assert wrong_arrow(importer, imported) == reason


def pure_files() -> list[Path]:
    prefixes = tuple(str(PROJECT / part) for part in PURE)
    return [path for path in project_files() if str(path).startswith(prefixes)]


def test_pure_packages_know_neither_django_nor_clock_network_or_chance() -> None:
    wrong = []
    for path in pure_files():
        for line, imported in imports_of(path):
            top = imported.split(".")[0]
            own = place_of(imported) is not None
            within = imported.startswith(PURE_MAY_IMPORT) or imported.startswith("prop.rules")
            if (top in IMPURE_MODULES and top != "datetime") or (own and not within):
                wrong.append(f"{path.relative_to(PROJECT)}:{line} imports {imported}")
        wrong += [
            f"{path.relative_to(PROJECT)}:{node.lineno} asks the clock"
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute) and node.attr in CLOCK_CALLS
        ]
    assert wrong == []


def test_no_float_in_the_pure_packages() -> None:
    wrong = [
        f"{path.relative_to(PROJECT)}:{node.lineno}"
        for path in pure_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
    ]
    assert wrong == []


def test_files_stay_short_enough_to_read() -> None:
    long = {
        str(path.relative_to(PROJECT)): count
        for path in project_files()
        if "migrations" not in path.parts
        and (count := len(path.read_text().splitlines())) > LINES_MAX
    }
    assert long == {}


def test_the_bootstrap_needs_the_standard_library_alone_until_packages_are_there() -> None:
    import sys

    wrong = []
    for path in project_files():
        if not module_name(path).startswith(("manage", "polysim.bootstrap")):
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                name = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                top = (name or "").split(".")[0]
                if top not in sys.stdlib_module_names and top != "polysim":
                    wrong.append(f"{path.relative_to(PROJECT)}:{node.lineno} imports {name}")
    assert wrong == []
