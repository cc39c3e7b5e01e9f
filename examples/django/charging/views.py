"""The pages: what charges now, and remote starts and stops."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.mixins import LoginRequiredMixin, PermissionRequiredMixin
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse_lazy
from django.views.decorators.http import require_POST
from django.views.generic import FormView, TemplateView

from . import commands
from .forms import RemoteStartForm
from .models import Command, Transaction


class NowView(LoginRequiredMixin, TemplateView):
    """What charges now, and what came of the latest commands."""

    template_name = "charging/now.html"

    def get_context_data(self, **kwargs):
        running = Transaction.objects.filter(stopped=None).select_related("charger")
        return super().get_context_data(running=running, commands=Command.objects.all()[:10], **kwargs)


class RemoteStartView(LoginRequiredMixin, PermissionRequiredMixin, FormView):
    """Has a charger start a transaction."""

    template_name = "charging/start.html"
    permission_required = "charging.add_command"
    form_class = RemoteStartForm
    success_url = reverse_lazy("now")

    def form_valid(self, form):
        charger, tag = form.cleaned_data["charger"], form.cleaned_data["tag"]
        data = {"tag": tag.value, "connector_id": form.cleaned_data["connector"]}
        commands.give(charger, "remote_start_transaction", data, self.request.user)
        messages.success(self.request, f"{charger} is asked to start.")
        return super().form_valid(form)


@login_required
@permission_required("charging.add_command", raise_exception=True)
@require_POST
def remote_stop(request, pk):
    """Has a charger stop a transaction."""
    running = get_object_or_404(Transaction, pk=pk, stopped=None)
    commands.give(running.charger, "remote_stop_transaction", {"transaction_id": running.id_in_commands}, request.user)
    messages.success(request, f"{running.charger} is asked to stop.")
    return redirect("now")
