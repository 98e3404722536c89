import django.db.models.deletion
import django.utils.timezone
import saltant.server.tasks.fields
from django.conf import settings
from django.db import migrations, models

SHARED = [
    'name', 'description', 'command_to_run', 'environment_variables', 'required_arguments',
    'required_arguments_default_values',
]
LIMITS = [
    'timeout', 'queue_timeout', 'max_attempts', 'retry_on', 'retry_delay', 'memory', 'cpus', 'priority', 'gpus',
]
KEPT = {
    'executable': [*SHARED, 'json_file_option', *LIMITS],
    'container': [
        *SHARED, 'logs_path', 'results_path', 'container_image', 'container_type', 'pull_policy', 'network',
        'container_user', 'read_only_root', 'shm_size', *LIMITS,
    ],
}


def begin_histories(apps, schema_editor):
    """What each type is now is its first revision."""
    TaskType = apps.get_model('tasks', 'TaskType')
    TaskTypeRevision = apps.get_model('tasks', 'TaskTypeRevision')
    for task_type in TaskType.objects.select_related('user').order_by('pk').iterator():
        TaskTypeRevision.objects.create(
            task_type=task_type,
            number=1,
            datetime_created=task_type.datetime_created,
            user=task_type.user,
            changed_by=task_type.user.username if task_type.user else 'saltant',
            values={name: getattr(task_type, name) for name in KEPT[task_type.task_class]},
        )


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0006_labels'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='taskinstance',
            name='revision',
            field=models.PositiveIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='tasktype',
            name='revision',
            field=models.PositiveIntegerField(db_default=1, default=1, editable=False),
        ),
        migrations.CreateModel(
            name='TaskTypeRevision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('datetime_created', models.DateTimeField(default=django.utils.timezone.now)),
                ('changed_by', models.CharField(blank=True, default='', max_length=200)),
                ('values', saltant.server.tasks.fields.JSONTextField()),
                ('changes', saltant.server.tasks.fields.JSONTextField(default=dict)),
                ('task_type', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='revisions', to='tasks.tasktype')),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(fields=('task_type', 'number'), name='unique_revision_number')],
            },
        ),
        migrations.CreateModel(
            name='WhitelistPin',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('from_revision', models.PositiveIntegerField()),
                ('to_revision', models.PositiveIntegerField(null=True)),
                ('task_type', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='pins', to='tasks.tasktype')),
                ('whitelist', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='pins', to='tasks.taskwhitelist')),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('whitelist', 'task_type'), name='unique_whitelist_pin')],
            },
        ),
        migrations.RunPython(begin_histories, migrations.RunPython.noop),
    ]
