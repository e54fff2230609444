"""Reads exports of chat sites: the task `import` of a worker process.

Each format is a module here, with `accepts` and `read_conversation`, and an item of IMPORTERS in `task`.

No Django models here: what is read goes into two files, which `chat.transfer.importing` saves. `records` has a line of
JSON for each conversation and for each of its messages, `images` the images one after the other.
"""
