import secrets

from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, call_command

from chat.apps import offer_models_of_ollama


class Command(BaseCommand):
    help = "Bring the database up to date and make the first login, once; then say where the site will be."

    def add_arguments(self, parser):
        parser.add_argument("--address", default="http://127.0.0.1:8000/")
        parser.add_argument("--collect-static", action="store_true", help="collect static files too")

    def handle(self, *, address, collect_static, **options):
        call_command("migrate", interactive=False, verbosity=0)
        offer_models_of_ollama()
        if collect_static:
            call_command("collectstatic", interactive=False, verbosity=0)
        people = get_user_model().objects
        if not people.exists():
            password = secrets.token_urlsafe(12)
            people.create_superuser("admin", password=password)
            self.stdout.write(f"First login: admin / {password}")
            self.stdout.write("(shown this once; manage.py changepassword sets another)")
        self.stdout.write(self.style.SUCCESS(f"Open {address}"))
