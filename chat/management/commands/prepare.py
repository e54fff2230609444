import secrets

from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, call_command

from chat.found_assistants import Fault, create_found_assistants
from chat.redaction import redact


class Command(BaseCommand):
    help = "Migrate the database, create the first login and assistants, and print the address of the site."

    def add_arguments(self, parser):
        parser.add_argument("--address", default="http://127.0.0.1:8000/", help="the address to print")
        parser.add_argument("--collect-static", action="store_true", help="also collect the static files")

    def handle(self, *, address, collect_static, **options):
        call_command("migrate", interactive=False, verbosity=0)
        lines = create_found_assistants()
        if collect_static:
            call_command("collectstatic", interactive=False, verbosity=0)
        people = get_user_model().objects
        if not people.exists():
            password = secrets.token_urlsafe(12)
            people.create_superuser("admin", password=password)
            self.stdout.write(f"First login: admin / {password}")
            self.stdout.write("(shown only this once; manage.py changepassword admin sets another password)")
        for line in lines:
            stream = self.stderr if isinstance(line, Fault) else self.stdout
            stream.write(redact(line))
        self.stdout.write(self.style.SUCCESS(f"Open {address}"))
