"""The admin site: tags are managed there, everything else is only looked at."""

from django.contrib import admin

from .models import Charger, Command, Tag, Transaction


@admin.register(Tag)
class TagAdmin(admin.ModelAdmin):
    """Who may charge."""

    list_display = ["value", "holder", "blocked", "expires"]
    list_filter = ["blocked"]
    search_fields = ["value", "holder"]


class ReadOnlyAdmin(admin.ModelAdmin):
    """For what events and commands write."""

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    """What was charged."""

    list_display = ["transaction_id", "charger", "connector", "tag", "started", "stopped", "energy"]
    list_filter = ["charger"]
    search_fields = ["transaction_id", "tag"]


@admin.register(Charger)
class ChargerAdmin(ReadOnlyAdmin):
    """Which chargers there are."""

    list_display = ["identity", "connected", "vendor", "model"]


@admin.register(Command)
class CommandAdmin(ReadOnlyAdmin):
    """Who gave which command."""

    list_display = ["name", "charger", "given_by", "given", "outcome", "status"]
