"""The command line `maia`: a user of the public names like any other. It decides nothing about requests, retries or waits."""
