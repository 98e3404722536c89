from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0009_after'),
    ]

    operations = []
