"""Campaigns are large searches for a false result and record what they find; ``make prove`` runs all of them."""
