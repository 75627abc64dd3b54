"""An organization is deleted by a mark, invitations know who asked, and the last owner stays."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Deferred to the end of the transaction, so that ownership can be handed over. The lock makes two transactions that
# each take one of two owners away wait for each other; the second then sees what the first did.
CREATE = """
CREATE FUNCTION keep_an_owner(wanted bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM accounts_organization WHERE id = wanted AND deleted_at IS NULL FOR NO KEY UPDATE;
    IF FOUND AND NOT EXISTS (
        SELECT 1 FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id
        WHERE m.organization_id = wanted AND 'owner' = ANY (m.roles) AND u.is_active AND NOT u.is_machine
    ) THEN
        RAISE EXCEPTION 'An organization keeps an active owner.'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'organization_keeps_an_owner';
    END IF;
END $$;

CREATE FUNCTION membership_keeps_an_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM keep_an_owner(OLD.organization_id);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER organization_keeps_an_owner
AFTER DELETE OR UPDATE OF roles, user_id, organization_id ON accounts_membership
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ('owner' = ANY (OLD.roles))
EXECUTE FUNCTION membership_keeps_an_owner();

CREATE FUNCTION user_keeps_an_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM keep_an_owner(m.organization_id) FROM accounts_membership m
    WHERE m.user_id = NEW.id AND 'owner' = ANY (m.roles) ORDER BY m.organization_id;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER organization_keeps_an_active_owner AFTER UPDATE OF is_active ON accounts_user
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.is_active AND NOT NEW.is_active)
EXECUTE FUNCTION user_keeps_an_owner();
"""
DROP = """
DROP TRIGGER organization_keeps_an_active_owner ON accounts_user;
DROP FUNCTION user_keeps_an_owner();
DROP TRIGGER organization_keeps_an_owner ON accounts_membership;
DROP FUNCTION membership_keeps_an_owner();
DROP FUNCTION keep_an_owner(bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_identity_provider")]

    operations = [
        migrations.AddField("organization", "deleted_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField("invitation", "days", models.PositiveSmallIntegerField(default=7)),
        migrations.AddField(
            "invitation",
            "inviter",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunSQL(CREATE, DROP),
    ]
