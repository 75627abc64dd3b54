import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("external_secrets", "0006_links")]

    operations = [
        migrations.AlterField(
            model_name="externalsecret",
            name="cluster",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="external_secrets", to="clusters.cluster"),
        ),
        migrations.AlterField(
            model_name="externalsecret",
            name="namespace",
            field=models.CharField(max_length=63),
        ),
        migrations.AlterField(
            model_name="inventoryentry",
            name="organization",
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.organization"),
        ),
        migrations.AddIndex(
            model_name='inventoryentry',
            index=models.Index(fields=['organization', 'name', 'access'], name='inventory_of_organization'),
        ),
        migrations.AddConstraint(
            model_name='externalsecret',
            constraint=models.UniqueConstraint(condition=models.Q(models.Q(('variable', ''), _negated=True), models.Q(('takes', 'value'), ('target', 'both'), _connector='OR')), fields=('cluster', 'namespace', 'service', 'container', 'variable'), name='variable_is_unique_in_container', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='externalsecret',
            constraint=models.UniqueConstraint(condition=models.Q(('path', ''), _negated=True), fields=('cluster', 'namespace', 'service', 'container', 'path'), name='path_is_unique_in_container', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='externalsecret',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('path', ''), ('target', 'variable')), models.Q(models.Q(('target', 'variable'), _negated=True), models.Q(('path', ''), _negated=True)), _connector='OR'), name='file_has_a_path'),
        ),
        migrations.AddConstraint(
            model_name='externalsecret',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('target', 'file'), ('variable', '')), models.Q(models.Q(('target', 'file'), _negated=True), models.Q(models.Q(('variable', ''), _negated=True), models.Q(('target', 'variable'), models.Q(('takes', 'value'), _negated=True)), _connector='OR')), _connector='OR'), name='variable_has_a_name'),
        ),
    ]
