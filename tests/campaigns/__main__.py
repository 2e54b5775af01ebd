"""Runs every campaign: the modules beside this one that have a ``main``."""

from importlib import import_module
from pathlib import Path


def main() -> int:
    """Run one campaign after another; 1 if any of them found something false."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
    modules = [import_module(f"tests.campaigns.{name}") for name in names if name[:5] not in ("test_", "conft")]
    return max(module.main([]) for module in modules if hasattr(module, "main"))


if __name__ == "__main__":
    raise SystemExit(main())
