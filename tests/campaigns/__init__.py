"""Large runs whose records are kept; ordinary tests run a sample of each."""
