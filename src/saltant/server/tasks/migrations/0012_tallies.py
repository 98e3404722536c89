from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0011_progress'),
    ]

    operations = [
        migrations.CreateModel(
            name='EndTally',
            fields=[
                ('slot', models.BigIntegerField(primary_key=True, serialize=False)),
                ('successful', models.PositiveIntegerField(default=0)),
                ('failed', models.PositiveIntegerField(default=0)),
                ('terminated', models.PositiveIntegerField(default=0)),
            ],
            options={
                'ordering': ['slot'],
            },
        ),
    ]
