"""The forms that ask for a cluster's name: disconnecting it, and uninstalling its operator."""

from typing import Any

from django import forms

from accounts.naming import TypedNameForm


class UninstallForm(TypedNameForm):
    noun, act = "cluster", "uninstall the operator from"


class DisconnectForm(TypedNameForm):
    noun, act = "cluster", "disconnect"
    LEAVE, REMOVE, REMOVE_ALL = "leave", "remove", "remove-all"

    then = forms.ChoiceField(
        label="What becomes of what Keyhaven made?",
        widget=forms.RadioSelect,
        choices=[
            (LEAVE, "Leave it, and forget the cluster"),
            (REMOVE, "Remove it first"),
            (REMOVE_ALL, "Remove it first, and the operator"),
        ],
        initial=LEAVE,
        error_messages={
            "required": "Say what becomes of what Keyhaven made.",
            "invalid_choice": "Choose one of what is listed.",
        },
    )

    field_order = ["then", "name"]

    def __init__(self, expected: str, data: Any = None, *, empty: bool = False) -> None:
        super().__init__(expected, data)
        then: Any = self.fields["then"]
        then.consequences = {
            self.LEAVE: "Services keep their secrets and the operator keeps refreshing them. Nobody manages it from here.",
            self.REMOVE: "A run with a log takes away links, stores, credentials and what was made in the cloud. Services "
            "lose these variables and files. Afterwards the cluster can be disconnected.",
            self.REMOVE_ALL: "The same, and then the operator, if Keyhaven installed it. Its kinds and other people's "
            "stores stay.",
        }
        if empty:
            # Nothing is left to decide on.
            del self.fields["then"]

    @property
    def choice(self) -> str:
        return str(self.cleaned_data.get("then") or self.LEAVE)
