"""The tags that every page is made of."""

import datetime
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from django import forms
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message
from django.template import Context, Template
from django.utils import timezone
from lucide import IconDoesNotExist

from clusters.models import Cluster, Deploy, DeployStep
from clusters.models.clusters import Drift
from config import context, ui_tags
from external_secrets.models import ExternalSecret


def render(source: str, **values: object) -> str:
    return Template(source).render(Context(values))


class ExampleForm(forms.Form):
    name = forms.CharField(label="Name", help_text="As in the cluster.")
    note = forms.CharField(label="Note", required=False)
    secret = forms.CharField(label="Secret", widget=forms.PasswordInput(render_value=True))
    method = forms.ChoiceField(choices=[("role", "Role"), ("keys", "Keys")], widget=forms.RadioSelect)
    adopt = forms.BooleanField(label="Adopt it", required=False)


class TestIcons:
    def test_every_icon_that_a_template_names_exists(self, project: Path):
        texts = [path.read_text() for path in (project / "templates").rglob("*.html")]
        names = {name for text in texts for name in re.findall(r'(?:{% icon |\bicon=)"([a-z0-9-]+)"', text)}
        names |= {entry[1] for entry in context.NAVIGATION}

        drawn = {name: str(ui_tags.icon(name)) for name in names}

        assert len(names) > 30
        assert all(text.startswith("<svg") and 'aria-hidden="true"' in text for text in drawn.values())

    def test_an_unknown_icon_raises(self):
        with pytest.raises(IconDoesNotExist):
            ui_tags.icon("no-such-icon")

    def test_an_unknown_provider_has_the_mark_of_any_secret_manager(self):
        assert "providers/generic.svg" in ui_tags.mark("no-such-provider")
        assert "providers/vault.svg" in ui_tags.mark("vault")


class TestAgo:
    @pytest.mark.parametrize(
        ("age", "words"),
        [
            ({"seconds": -50}, "just now"),
            ({"seconds": 3}, "just now"),
            ({"seconds": 42}, "42 s ago"),
            ({"minutes": 4}, "4 min ago"),
            ({"hours": 23, "minutes": 59}, "23 h ago"),
            ({"days": 3}, "3 d ago"),
        ],
    )
    def test_words(self, age: dict[str, int], words: str):
        text = ui_tags.ago(timezone.now() - datetime.timedelta(**age, milliseconds=100))

        assert f">{words}</time>" in text

    def test_long_ago_is_a_date_and_the_title_is_exact_and_utc(self):
        paris = datetime.timezone(datetime.timedelta(hours=2))

        text = ui_tags.ago(datetime.datetime(2024, 6, 1, 1, 30, 12, tzinfo=paris))

        assert 'title="2024-05-31 23:30:12 UTC"' in text
        assert ">2024-05-31</time>" in text

    def test_never_is_said(self):
        assert ui_tags.ago(None, "Never deployed") == '<span class="muted">Never deployed</span>'


class TestBadges:
    def test_every_status_of_a_model_has_its_word(self):
        choices = (Cluster.Status, Deploy.Status, DeployStep.Status, Drift, ExternalSecret.Status)

        values = {value for statuses in choices for value in statuses.values}

        assert values <= set(ui_tags.BADGES)

    def test_a_status_is_a_tone_and_a_word(self):
        assert ui_tags.badge("denied") == '<span class="badge t-bad">Access denied</span>'
        assert ui_tags.badge(Deploy.Status.RUNNING) == '<span class="badge t-info live">Deploying</span>'
        assert ui_tags.badge("running", "Running") == '<span class="badge t-info live">Running</span>'

    def test_what_is_not_known_is_quiet_and_escaped(self):
        assert ui_tags.badge("<b>") == '<span class="badge t-idle">&lt;b&gt;</span>'


class TestFields:
    def test_label_hint_and_error_are_tied_to_the_input(self):
        form = ExampleForm({"name": ""})

        text = render("{% field form.name mono=True %}", form=form)

        assert '<label for="id_name">' in text
        assert 'aria-describedby="id_name-error id_name-hint"' in text
        assert 'aria-invalid="true"' in text
        assert 'id="id_name-error"' in text
        assert 'id="id_name-hint"' in text
        assert 'spellcheck="false"' in text

    def test_optional_is_said(self):
        assert "(optional)" in render("{% field form.note %}", form=ExampleForm())
        assert "(optional)" not in render("{% field form.name %}", form=ExampleForm())

    def test_what_was_typed_comes_back_escaped(self):
        text = render("{% field form.name %}", form=ExampleForm({"name": '"><script>'}))

        assert "<script>" not in text
        assert "&lt;script&gt;" in text

    def test_a_password_never_comes_back(self):
        text = render("{% field form.secret %}", form=ExampleForm({"secret": "hunter2"}))

        assert 'type="password"' in text
        assert "hunter2" not in text

    def test_a_stored_secret_says_when_and_by_whom(self):
        text = render(
            "{% field form.secret set_at=at set_by='Marie' %}", form=ExampleForm(), at=timezone.now()
        )

        assert "by Marie" in text
        assert "Replace…" in text

    def test_choices_are_cards_with_their_consequence(self):
        form = ExampleForm()
        form.fields["method"].consequences = {"role": "No keys stored."}  # type: ignore[attr-defined]

        text = render("{% field form.method %}", form=form)

        assert text.count('type="radio"') == 2
        assert "<small>No keys stored.</small>" in text
        assert "<fieldset" in text

    def test_a_checkbox_stands_before_its_words(self):
        text = render("{% field form.adopt %}", form=ExampleForm())

        assert text.index('type="checkbox"') < text.index("Adopt it")

    def test_one_error_needs_no_summary_and_two_have_links(self):
        one, two = ExampleForm({"secret": "x", "method": "role"}), ExampleForm({"method": "role"})

        assert render("{% error_summary form %}", form=one).strip() == ""
        summary = render("{% error_summary form %}", form=two)
        assert "2 fields need a correction" in summary
        assert '<a href="#id_name">Name</a>' in summary

    def test_a_link_of_the_summary_leads_to_a_group_too(self):
        form = ExampleForm({})

        target = re.search(r'href="(#[^"]+)">Method', render("{% error_summary form %}", form=form))
        group = render("{% field form.method %}", form=form)

        assert target
        assert f'id="{target[1][1:]}"' in group


class TestCopying:
    def test_long_text_is_whole_in_two_parts_so_that_its_middle_can_be_cut(self):
        arn = "arn:aws:secretsmanager:eu-west-3:412380917263:secret:prod/payments/db-password-Ab12Cd"

        text = render("{% copy arn 'the ARN' %}", arn=arn)

        assert f"<span>{arn[:-12]}</span><span>{arn[-12:]}</span></code>" in text
        assert f'title="{arn}"' in text
        assert 'aria-label="Copy the ARN"' in text

    def test_text_is_escaped(self):
        assert "<b>" not in render("{% copy text 'it' %}{% code text 'it' %}", text="<b>" * 40)


class TestShell:
    def test_another_organization_opens_in_the_same_section(self):
        acme, labs = SimpleNamespace(slug="acme"), SimpleNamespace(slug="labs")
        nav = [{"url": "/o/acme/clusters/", "current": False}, {"url": "/o/acme/audit/", "current": True}]

        assert ui_tags.same_section(Context({"organization": acme, "nav": nav}), labs) == "/o/labs/audit/"
        assert ui_tags.same_section(Context({"organization": acme}), labs) == "/o/labs/"

    @pytest.mark.parametrize(
        ("level", "tone"), [(constants.SUCCESS, "ok"), (constants.WARNING, "warn"), (constants.ERROR, "bad")]
    )
    def test_a_message_is_a_toast_of_its_tone(self, level: int, tone: str):
        text = render("{% toast message %}", message=Message(level, "Saved <b>"))

        assert f"toast t-{tone}" in text
        assert "Saved &lt;b&gt;" in text

    def test_unique_ids_differ(self):
        assert ui_tags.unique("log") != ui_tags.unique("log")
