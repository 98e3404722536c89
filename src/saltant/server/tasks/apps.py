from django.apps import AppConfig
from django.db.models.signals import m2m_changed


class TasksConfig(AppConfig):
    name = "saltant.server.tasks"

    def ready(self) -> None:
        """Have whitelists remember since when they hold what, and queries find the indexes of states."""
        from saltant.server.tasks.models import TaskInstance, TaskWhitelist
        from saltant.server.tasks.services.pins import follow_members
        from saltant.server.tasks.state_lookups import register

        register(TaskInstance._meta.get_field("state"))
        m2m_changed.connect(follow_members, sender=TaskWhitelist.task_types.through, dispatch_uid="pins")
