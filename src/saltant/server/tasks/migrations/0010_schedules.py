import django.db.models.deletion
import django.utils.timezone
import saltant.server.tasks.fields
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0009_after'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Schedule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, unique=True)),
                ('description', models.TextField(blank=True, default='')),
                ('datetime_created', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('arguments', saltant.server.tasks.fields.JSONTextField(blank=True, default=dict)),
                ('instance_name', models.CharField(blank=True, default='', max_length=200)),
                ('labels', saltant.server.tasks.fields.JSONTextField(blank=True, default=dict)),
                ('limits', saltant.server.tasks.fields.JSONTextField(blank=True, default=dict)),
                ('cron', models.CharField(max_length=100)),
                ('timezone', models.CharField(default='UTC', max_length=64)),
                ('overlap', models.CharField(choices=[('skip', 'skip'), ('allow', 'allow'), ('replace', 'replace'), ('wait', 'wait')], default='skip', max_length=7)),
                ('active', models.BooleanField(default=True)),
                ('next_time', models.DateTimeField(null=True)),
                ('last_time', models.DateTimeField(null=True)),
                ('waiting_since', models.DateTimeField(null=True)),
                ('message', models.TextField(blank=True, default='')),
                ('last_instance', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='tasks.taskinstance')),
                ('task_queue', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='schedules', to='tasks.taskqueue')),
                ('task_type', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='schedules', to='tasks.tasktype')),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.AddField(
            model_name='taskinstance',
            name='schedule',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='instances', to='tasks.schedule'),
        ),
        migrations.AddIndex(
            model_name='taskinstance',
            index=models.Index(condition=models.Q(('schedule__isnull', False)), fields=['schedule', '-id'], name='instance_of_schedule'),
        ),
        migrations.AddIndex(
            model_name='taskinstance',
            index=models.Index(condition=models.Q(('schedule__isnull', False), ('state__in', ['created', 'published', 'running'])), fields=['schedule'], name='unfinished_of_schedule'),
        ),
    ]
