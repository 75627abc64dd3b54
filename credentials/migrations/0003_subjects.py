import uuid

from django.db import migrations


def name_all(apps, schema_editor):
    """Give each organization the name by which clouds know it."""
    Subject = apps.get_model("credentials", "Subject")
    organizations = apps.get_model("accounts", "Organization").objects.filter(subject=None)
    Subject.objects.bulk_create(
        [Subject(organization=one, name=f"keyhaven-{uuid.uuid4().hex}") for one in organizations]
    )


class Migration(migrations.Migration):
    dependencies = [("credentials", "0002_ways_in")]

    operations = [migrations.RunPython(name_all, migrations.RunPython.noop)]
