"""Runs every campaign, one after another, and writes what each found to its record."""

from tests.campaigns import checks, derivations, mutants, statements, strings, systems


def main() -> int:
    """Run all campaigns; 1 if any of them found something false or a change that no test notices."""
    return max([campaign.main([]) for campaign in (systems, derivations, strings, statements, checks, mutants)])


if __name__ == "__main__":
    raise SystemExit(main())
