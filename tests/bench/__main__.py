"""Runs the benchmarks in this directory: ``python -m tests.bench [name …]``."""

import sys
from importlib import import_module
from pathlib import Path

from tests.support.bench import main

for module in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    import_module(f"tests.bench.{module.stem}")
sys.exit(main(sys.argv[1:]))
