"""Campaigns: large searches for a false number, with a record of what they found; ``make prove`` runs all of them."""
