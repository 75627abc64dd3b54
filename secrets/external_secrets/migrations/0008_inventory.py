import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_audit_is_append_only'),
        ('external_secrets', '0007_rules_of_links'),
    ]

    operations = [
        migrations.AddField(
            model_name='inventorystate',
            name='tried_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name='inventoryentry',
            name='organization',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.organization'),
        ),
    ]
