"""The filter of the audit log."""

from django import forms


class FilterForm(forms.Form):
    """Who, what and when; every field may be blank."""

    who = forms.CharField(required=False, max_length=160)
    action = forms.CharField(required=False, max_length=60)
    on = forms.CharField(required=False, max_length=260)
    start = forms.DateField(required=False)
    end = forms.DateField(required=False)
    before = forms.IntegerField(required=False, min_value=1)
    after = forms.IntegerField(required=False, min_value=0)
