#!/usr/bin/env python
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    if sys.argv[1:2] == ["runserver"]:
        os.environ.setdefault("DEBUG", "true")  # runserver is for developers; everything else is production

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
