import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F


def fill_lanes(apps, schema_editor):
    """The tickets of every queue go by its name so far."""
    apps.get_model('tasks', 'TaskQueue').objects.update(lane=F('name'))


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0007_revisions'),
    ]

    operations = [
        migrations.AddField(
            model_name='taskqueue',
            name='datetime_archived',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='tasktype',
            name='datetime_archived',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='taskwhitelist',
            name='datetime_archived',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='taskqueue',
            name='lane',
            field=models.CharField(default='', editable=False, max_length=60),
            preserve_default=False,
        ),
        migrations.RunPython(fill_lanes, migrations.RunPython.noop),
        migrations.AlterField(
            model_name='taskqueue',
            name='lane',
            field=models.CharField(editable=False, max_length=60, unique=True),
        ),
        migrations.CreateModel(
            name='FormerQueueName',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=50, unique=True)),
                ('queue', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='former_names', to='tasks.taskqueue')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
    ]
