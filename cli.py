"""The launcher of a checkout: `python cli.py run ...` is `ptxemu run ...` without installing anything."""

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
NEEDED = ("click", "ml_dtypes", "numpy", "rich")


def launch() -> None:
    """Run the command line on this checkout, in its own environment when the calling one lacks a dependency."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    own_python = ROOT / ".venv" / "bin" / "python"
    if missing and own_python.exists() and Path(sys.prefix) != ROOT / ".venv":
        os.execv(own_python, [str(own_python), *sys.argv])
    if missing:
        sys.exit(f"cli.py: {', '.join(missing)} missing for {sys.executable}: `make demo` in {ROOT} sets them up.")
    sys.path.insert(0, str(ROOT))
    from emulator.commands import main

    main()


if __name__ == "__main__":
    launch()
