"""Saved views of the audit log, and an index of the events of one request."""

import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0008_the_audit_chain"),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditView',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60)),
                ('query', models.CharField(blank=True, max_length=1000)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(condition=models.Q(('request_id', ''), _negated=True), fields=['organization', 'request_id', 'sequence'], name='audit_by_request'),
        ),
        migrations.AddField(
            model_name='auditview',
            name='created_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='auditview',
            name='member',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='audit_views', to='accounts.membership'),
        ),
        migrations.AddField(
            model_name='auditview',
            name='organization',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='audit_views', to='accounts.organization'),
        ),
        migrations.AddConstraint(
            model_name='auditview',
            constraint=models.UniqueConstraint(django.db.models.functions.text.Lower('name'), models.F('organization'), condition=models.Q(('member', None)), name='audit_view_name_is_unique_for_all'),
        ),
        migrations.AddConstraint(
            model_name='auditview',
            constraint=models.UniqueConstraint(django.db.models.functions.text.Lower('name'), models.F('member'), condition=models.Q(('member', None), _negated=True), name='audit_view_name_is_unique_for_a_member'),
        ),
    ]
