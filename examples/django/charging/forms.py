"""Forms of the pages."""

from django import forms

from .models import Charger, Tag


class RemoteStartForm(forms.Form):
    """Which charger is to start, for whom."""

    charger = forms.ModelChoiceField(Charger.objects.filter(connected=True))
    connector = forms.IntegerField(min_value=1, initial=1)
    tag = forms.ModelChoiceField(Tag.objects.filter(blocked=False))
