"""A batch: many requests, each started once, awaited, and accounted for. `batch.py` is what callers see; no logic here."""
