"""Reads the text of users' files, a module per family of formats, in a worker process: see `task`."""
