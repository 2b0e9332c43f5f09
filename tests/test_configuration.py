"""Every setting from the environment stands in docs/configuration.md, and nothing else does."""

import re

from polysim.bootstrap.paths import PROJECT_DIRECTORY

READ = re.compile(r'env_[a-z]+\(\s*"([A-Z0-9_]+)"')
NAMED = re.compile(
    r"`((?:POLYSIM|POLYMARKET|TRADE|PROP|DATABASE|REDIS|API|ME|POSITIONS|EXPORT)_[A-Z_]+)`"
)
ABBREVIATED = re.compile(r"`(_[A-Z_]+)`")


def _documented() -> set[str]:
    text = (PROJECT_DIRECTORY / "docs" / "configuration.md").read_text()
    names: set[str] = set()
    for line in text.splitlines():
        found = NAMED.findall(line.split("|")[1]) if line.startswith("|") else []
        names |= set(found)
        # "`POLYSIM_EMAIL_HOST`, `_PORT`": the other names of the same row share its beginning.
        if found:
            stem = found[0].rsplit("_", 1)[0]
            names |= {stem + ending for ending in ABBREVIATED.findall(line.split("|")[1])}
    return names


def test_every_setting_is_documented() -> None:
    text = (PROJECT_DIRECTORY / "polysim" / "settings.py").read_text()
    assert set(READ.findall(text)) - _documented() == set()


def test_no_setting_is_documented_that_nobody_reads() -> None:
    sources = [
        path.read_text()
        for folder in ("polysim", "prop", "tests", "trading", "tenants", "wallets")
        for path in (PROJECT_DIRECTORY / folder).rglob("*.py")
    ]
    read = "\n".join(sources)
    assert {name for name in _documented() if f'"{name}"' not in read} == set()
