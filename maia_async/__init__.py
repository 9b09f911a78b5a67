"""Asyncio client for the Maia REST API: trigger pipelines, await them, fan out. Public names only; no logic."""
