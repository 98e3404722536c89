from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0010_schedules'),
    ]

    operations = []
