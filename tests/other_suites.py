"""Runs pytest on a suite of somebody else, in a process of its own, with our plugin; nothing of this suite's configuration is in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

PLUGIN = "maia_async.integrations.pytest_plugin"
ROOT = Path(__file__).resolve().parent.parent


def suite(folder: Path, text: str, *plugins: str, ini: str = "", name: str = "test_theirs.py") -> str:
    """Run pytest on `text` with these plugins beside ours; what it wrote, and its exit code in the last line."""
    (folder / name).write_text(dedent(text), encoding="utf-8")
    (folder / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\n{ini}", encoding="utf-8")
    loaded = [word for plugin in (*plugins, PLUGIN) for word in ("-p", plugin)]
    environ = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), "MAIA_TOKEN": "not to be used"}
    environ.pop("PYTEST_ADDOPTS", None)
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-m", "pytest", "-q", "-rA", "--strict-markers", *loaded, name],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return f"{ended.stdout}{ended.stderr}\nexit {ended.returncode}"
