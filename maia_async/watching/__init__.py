"""Waiting: one shared polling loop and what it knows. It knows no resource; each kind of thing comes as a `Subject`."""
