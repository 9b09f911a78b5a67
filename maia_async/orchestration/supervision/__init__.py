"""Supervised streaming pipelines: kept streaming, restarted, given up. `supervisor.py` is what callers see; no logic here."""
