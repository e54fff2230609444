"""Daphne's `manage.py runserver`, which also loads the providers, so that the first answer does not wait for them."""

from daphne.management.commands import runserver

from chat.asgi.lifespan import warm_up_in_background


class Command(runserver.Command):
    def inner_run(self, *args, **options):
        warm_up_in_background()
        super().inner_run(*args, **options)
