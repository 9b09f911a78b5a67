"""`python -m maia_async` is `maia`, for where no script is on the path; it adds nothing."""

import sys

from maia_async.cli.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
