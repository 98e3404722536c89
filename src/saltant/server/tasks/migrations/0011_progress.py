import saltant.server.tasks.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0010_schedules'),
    ]

    operations = [
        migrations.AddField(
            model_name='taskattempt',
            name='datetime_progress',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='taskattempt',
            name='progress',
            field=saltant.server.tasks.fields.JSONTextField(null=True),
        ),
        migrations.AddIndex(
            model_name='taskattempt',
            index=models.Index(condition=models.Q(('datetime_progress__isnull', False)), fields=['datetime_progress'], name='attempt_progress'),
        ),
    ]
