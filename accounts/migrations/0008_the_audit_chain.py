"""Heads, marks and digests of the audit log; an index for each filter; what the application's role may do to it."""

import django.db.models.deletion
from django.contrib.postgres.operations import BtreeGinExtension, TrigramExtension
from django.db import migrations, models



# Where each chain ends, for the logs that are there.
HEADS = """
SET CONSTRAINTS ALL IMMEDIATE;
INSERT INTO accounts_audithead (organization_id, sequence, hash, at)
SELECT DISTINCT ON (organization_id) organization_id, sequence, hash, at
FROM accounts_auditevent ORDER BY organization_id, sequence DESC;
SET CONSTRAINTS ALL DEFERRED;
"""

# Words of names, by organization: queries.py asks with exactly this expression. Its list of what is not sorted in yet
# stays small, so that no single writer pays for a long one.
TEXTS = """
CREATE INDEX audit_by_text ON accounts_auditevent USING gin (
    organization_id,
    (UPPER(actor_name || ' ' || action || ' ' || target_name || ' ' || cluster)) gin_trgm_ops
) WITH (fastupdate = on, gin_pending_list_limit = 256);
ALTER TABLE accounts_audithead SET (fillfactor = 20);
"""

# The functions that are SECURITY DEFINER do what the application's role may not do by itself.
FUNCTIONS = """
CREATE FUNCTION audit_head(wanted bigint)
RETURNS TABLE (sequence bigint, hash varchar, at timestamptz, next_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT h.sequence, h.hash, h.at, nextval('accounts_auditevent_id_seq')
        FROM accounts_audithead h WHERE h.organization_id = wanted FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO accounts_audithead (organization_id, sequence, hash, at)
            VALUES (wanted, 0, repeat('0', 64), to_timestamp(0)) ON CONFLICT DO NOTHING;
        RETURN QUERY SELECT h.sequence, h.hash, h.at, nextval('accounts_auditevent_id_seq')
            FROM accounts_audithead h WHERE h.organization_id = wanted FOR UPDATE;
    END IF;
END $$;

CREATE FUNCTION audit_extends() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    UPDATE accounts_audithead SET sequence = NEW.sequence, hash = NEW.hash, at = NEW.at
        WHERE organization_id = NEW.organization_id AND sequence = NEW.sequence - 1
        AND hash = NEW.previous_hash AND at <= NEW.at;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'An audit event only follows the newest one.' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_only_extends BEFORE INSERT ON accounts_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_extends();

CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'accounts_auditevent' THEN
        -- What a mark stands for may go; `audit_prune` makes it first.
        IF EXISTS (
            SELECT FROM accounts_auditmark m
            WHERE m.organization_id = OLD.organization_id AND m.through_sequence >= OLD.sequence
        ) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'An audit event is never changed or deleted.' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION refuse_audit_head_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.organization_id = OLD.organization_id AND NEW.sequence = OLD.sequence + 1 THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'The end of an audit chain only moves on.' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_head_moves_on BEFORE UPDATE OR DELETE ON accounts_audithead
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_head_change();
CREATE TRIGGER audit_mark_is_kept BEFORE UPDATE OR DELETE ON accounts_auditmark
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_key_is_kept BEFORE UPDATE OR DELETE ON accounts_auditkey
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_digest_is_kept BEFORE UPDATE OR DELETE ON accounts_auditdigest
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON accounts_auditevent
    EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON accounts_audithead
    EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON accounts_auditmark
    EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON accounts_auditkey
    EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON accounts_auditdigest
    EXECUTE FUNCTION refuse_audit_change();

-- Removes the oldest events, `most` at once, that are older than the organization keeps them, and leaves a mark.
-- Nothing younger than 30 days ever goes, whatever the organization's row says.
CREATE FUNCTION audit_prune(wanted bigint, most integer)
RETURNS TABLE (through_sequence bigint, hash varchar, events bigint, newest_at timestamptz, days integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
DECLARE
    kept integer;
    last accounts_auditevent;
    gone bigint;
BEGIN
    SELECT greatest(o.audit_days, 30) INTO kept FROM accounts_organization o
        WHERE o.id = wanted AND o.audit_days IS NOT NULL;
    IF kept IS NULL THEN
        RETURN;
    END IF;
    PERFORM FROM accounts_audithead h WHERE h.organization_id = wanted FOR UPDATE;
    SELECT e.* INTO last FROM accounts_auditevent e WHERE e.organization_id = wanted AND e.sequence = (
        SELECT max(o.sequence) FROM (
            SELECT s.sequence, bool_and(s.at < now() - make_interval(days => kept)) OVER (ORDER BY s.sequence) AS old
            FROM (
                SELECT a.sequence, a.at FROM accounts_auditevent a
                WHERE a.organization_id = wanted ORDER BY a.sequence LIMIT least(most, 10000)
            ) s
        ) o WHERE o.old
    );
    IF last.id IS NULL THEN
        RETURN;
    END IF;
    SELECT count(*) INTO gone FROM accounts_auditevent a
        WHERE a.organization_id = wanted AND a.sequence <= last.sequence;
    INSERT INTO accounts_auditmark (organization_id, through_sequence, hash, events, newest_at, days, at)
        VALUES (wanted, last.sequence, last.hash, gone, last.at, kept, now());
    DELETE FROM accounts_auditevent a WHERE a.organization_id = wanted AND a.sequence <= last.sequence;
    RETURN QUERY SELECT last.sequence, last.hash, gone, last.at, kept;
END $$;
REVOKE ALL ON FUNCTION audit_head(bigint), audit_prune(bigint, integer) FROM PUBLIC;
"""
NO_FUNCTIONS = """
DROP FUNCTION audit_prune(bigint, integer);
DROP TRIGGER audit_is_not_emptied ON accounts_auditevent;
DROP TRIGGER audit_only_extends ON accounts_auditevent;
DROP FUNCTION audit_extends();
DROP FUNCTION audit_head(bigint);
DROP FUNCTION refuse_audit_head_change() CASCADE;
CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'An audit event is never changed or deleted.' USING ERRCODE = 'insufficient_privilege';
END $$;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0007_people'),
    ]

    operations = [
        TrigramExtension(),
        BtreeGinExtension(),
        migrations.CreateModel(
            name='AuditDigest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('through_sequence', models.BigIntegerField()),
                ('hash', models.CharField(max_length=64)),
                ('events', models.BigIntegerField()),
                ('previous_signature', models.CharField(blank=True, max_length=128)),
                ('signature', models.CharField(max_length=128)),
            ],
            options={
                'ordering': ['day'],
            },
        ),
        migrations.CreateModel(
            name='AuditHead',
            fields=[
                ('organization', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='audit_head', serialize=False, to='accounts.organization')),
                ('sequence', models.BigIntegerField(default=0)),
                ('hash', models.CharField(max_length=64)),
                ('at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='AuditKey',
            fields=[
                ('id', models.CharField(max_length=16, primary_key=True, serialize=False)),
                ('public_key', models.CharField(max_length=64)),
                ('first_used_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='AuditMark',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('through_sequence', models.BigIntegerField()),
                ('hash', models.CharField(max_length=64)),
                ('events', models.BigIntegerField()),
                ('newest_at', models.DateTimeField()),
                ('days', models.PositiveIntegerField()),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ['through_sequence'],
            },
        ),
        migrations.AddField(
            model_name='auditevent',
            name='scheme',
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AlterField(
            model_name='auditevent',
            name='organization',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='audit_events', to='accounts.organization'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['organization', 'actor_id', 'sequence'], name='audit_by_actor'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['organization', 'target_id', 'sequence'], name='audit_by_target'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['organization', 'at', 'sequence'], name='audit_by_time'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(condition=models.Q(('cluster', ''), _negated=True), fields=['organization', 'cluster', 'sequence'], name='audit_by_cluster'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(condition=models.Q(('address', ''), _negated=True), fields=['organization', 'address', 'sequence'], name='audit_by_address'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(condition=models.Q(('token', ''), _negated=True), fields=['organization', 'token', 'sequence'], name='audit_by_token'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(condition=models.Q(('origin', 'console'), _negated=True), fields=['organization', 'origin', 'sequence'], name='audit_by_origin'),
        ),
        migrations.AddField(
            model_name='auditdigest',
            name='organization',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='audit_digests', to='accounts.organization'),
        ),
        migrations.AddField(
            model_name='auditdigest',
            name='key',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='digests', to='accounts.auditkey'),
        ),
        migrations.AddField(
            model_name='auditmark',
            name='organization',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='audit_marks', to='accounts.organization'),
        ),
        migrations.AddConstraint(
            model_name='auditdigest',
            constraint=models.UniqueConstraint(fields=('organization', 'day'), name='audit_digest_is_daily'),
        ),
        migrations.AddConstraint(
            model_name='auditmark',
            constraint=models.UniqueConstraint(fields=('organization', 'through_sequence'), name='audit_mark_is_unique'),
        ),
        migrations.RunSQL(TEXTS, "DROP INDEX audit_by_text"),
        migrations.RunSQL(HEADS, migrations.RunSQL.noop),
        migrations.RunSQL(FUNCTIONS, NO_FUNCTIONS),
    ]
