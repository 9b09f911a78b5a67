"""One module for each group of commands; `app.py` names them as text, so that a command loads what it needs and no more."""
