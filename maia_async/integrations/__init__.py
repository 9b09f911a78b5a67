"""What joins the package to other programs, one module each. Each is loaded by its program only, and uses public names only."""
