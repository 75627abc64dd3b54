"""The form that all kinds of destinations share, and those of what a member wants to be told."""

from typing import Any

from django import forms
from django.utils import timezone

from accounts.naming import TypedNameForm, name_rule
from accounts.organizations.models import Organization
from accounts.outgoing import topics
from accounts.outgoing.models import Destination
from accounts.outgoing.topics import Topic

QUIET = {"autocomplete": "off", "spellcheck": "false"}


class DestinationForm(forms.Form):
    """What all kinds have: a name and what is sent. A kind adds its address; `address()` puts it together."""

    # Whether the whole log makes sense for it.
    TAKES_THE_LOG = True
    PREFERS_THE_LOG = False

    name = forms.CharField(
        label="Name",
        max_length=40,
        validators=[name_rule],
        widget=forms.TextInput(attrs=QUIET),
        error_messages={"required": "Enter a name for this destination."},
        help_text="How it is called here, for example siem or on-call.",
    )

    def __init__(
        self,
        organization: Organization,
        destination: Destination | None = None,
        *,
        may_forward: bool,
        data: Any = None,
    ) -> None:
        self.organization, self.destination = organization, destination
        super().__init__(data, initial=self._initial(destination))
        log = self.TAKES_THE_LOG and may_forward
        self._add_choice(log)
        if destination is None and log:
            self.fields["whole"] = forms.BooleanField(
                label="Send also what is in the log already", required=False
            )

    def _initial(self, destination: Destination | None) -> dict[str, Any]:
        if destination is None:
            return {}
        held = topics.chosen(destination.actions)
        left = set(destination.actions) - set(topics.expand(held))
        return {
            "name": destination.name,
            "what": "topics" if destination.actions else "log",
            "topics": held,
            "more": ", ".join(sorted(left)),
        }

    def _add_choice(self, log: bool) -> None:
        """Add what is sent: topics, and with the right to forward the log also all of it or any of its actions."""
        if log:
            what: Any = forms.ChoiceField(
                label="What is sent?",
                widget=forms.RadioSelect,
                choices=[("log", "The whole audit log"), ("topics", "Only what is chosen")],
                initial="log" if self.PREFERS_THE_LOG else "topics",
                error_messages={"required": "Choose what is sent."},
            )
            what.consequences = {
                "log": "Every event, in order: for a SIEM.",
                "topics": "What people want to know of.",
            }
            self.fields["what"] = what
        chosen: Any = forms.MultipleChoiceField(
            label="Chosen" if log else "What is sent?",
            required=False,
            widget=forms.CheckboxSelectMultiple,
            choices=[(topic.slug, topic.label) for topic in topics.TOPICS],
        )
        # It depends on the rest whether something must be chosen; “optional” would not be true.
        chosen.one_of = True
        self.fields["topics"] = chosen
        if log:
            self.fields["more"] = forms.CharField(
                label="Further actions of the audit log",
                required=False,
                max_length=2000,
                widget=forms.TextInput(attrs=QUIET),
                help_text="Codes with commas, such as member.*, token.created.",
            )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        others = Destination.objects.owned_by(self.organization)
        if self.destination is not None:
            others = others.exclude(pk=self.destination.pk)
        if others.filter(name=name).exists():
            raise forms.ValidationError(f"There is a destination named {name} already.")
        return name

    def clean_more(self) -> list[str]:
        found = [word for word in (part.strip() for part in self.cleaned_data["more"].split(",")) if word]
        unknown = [word for word in found if not topics.is_known(word)]
        if unknown:
            raise forms.ValidationError(f"{unknown[0][:60]} is no action of the audit log.")
        return found

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        nothing = not cleaned.get("topics") and not cleaned.get("more")
        if cleaned.get("what") != "log" and nothing and not self.errors.keys() & {"topics", "more", "what"}:
            self.add_error("topics", "Choose at least one.")
        return cleaned

    def actions(self) -> list[str]:
        """Return what was chosen; nothing stands for everything."""
        if self.cleaned_data.get("what") == "log":
            return []
        more = self.cleaned_data.get("more") or []
        return [*dict.fromkeys([*topics.expand(self.cleaned_data["topics"]), *more])]

    def wishes(self) -> dict[str, Any]:
        """Return what the services take of any kind: its name, address, secret and actions."""
        return {
            "name": self.cleaned_data["name"],
            "address": self.address(),
            "secret": self.secret(),
            "actions": self.actions(),
        }

    def address(self) -> str:
        """Return the address; nothing keeps the stored one."""
        return str(self.cleaned_data["url"])

    def secret(self) -> str:
        """Return the secret that was typed; nothing keeps the stored one."""
        return ""


class PersonalForm(forms.Form):
    """What a member wants to be told of by mail, of what the member may see."""

    topics = forms.MultipleChoiceField(
        label="Tell me by e-mail of", required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, offered: list[Topic], chosen: list[str], data: Any = None) -> None:
        super().__init__(data, initial={"topics": chosen})
        field: Any = self.fields["topics"]
        field.choices = [(topic.slug, topic.label) for topic in offered]
        field.one_of = True


class ReplayForm(forms.Form):
    """From when on everything is sent again."""

    since = forms.DateTimeField(
        label="Send again from",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        error_messages={"required": "Enter a time.", "invalid": "Enter a time such as 2026-11-21 09:30."},
        help_text="UTC. Whoever receives it knows by the ids what was there already.",
    )

    def clean_since(self) -> Any:
        since = self.cleaned_data["since"]
        if since > timezone.now():
            raise forms.ValidationError("That time is still to come.")
        return since


class DeleteForm(TypedNameForm):
    noun = "destination"
