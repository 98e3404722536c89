from django.db import migrations


def let_go(apps, schema_editor):
    """What ended while it was held back was looked for at every end, for ever."""
    instances = apps.get_model("tasks", "TaskInstance").objects
    instances.filter(held_back=True, state__in=["running", "successful", "failed", "terminated"]).update(held_back=False)


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0012_tallies'),
    ]

    operations = [
        migrations.RunPython(let_go, migrations.RunPython.noop),
    ]
