"""What this app adds to the core: see chat.hooks."""

from chat.hooks import Addition

from .models import Preferences


def personal_instructions(run):
    """The instructions that the user gives to every assistant (in REQUEST_CONTEXT). One query."""
    rows = Preferences.objects.filter(user_id=run.conversation.owner_id)
    return Addition(instructions=rows.values_list("instructions", flat=True).first() or "")
