"""What the gateway asks this backend, if BASE_URL names it (contract.md, section 3).

It must answer within some three seconds, or the gateway decides by itself: no work here but a look into the database.
"""

from base64 import b64encode
from functools import wraps

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_GET

from .models import Tag, TransactionNumber


def for_gateway(view):
    """A view that only the gateway may ask, by the user and the password in BASE_URL."""

    @wraps(view)
    def guarded(request, *args, **kwargs):
        expected = "Basic " + b64encode(f"gateway:{settings.OCPP_PASSWORD}".encode()).decode()
        if not constant_time_compare(request.headers.get("Authorization", ""), expected):
            return HttpResponse(status=401, headers={"WWW-Authenticate": "Basic"})
        return view(request, *args, **kwargs)

    return guarded


@require_GET
@for_gateway
def authorize(request, tag):
    """May this tag charge?"""
    known = Tag.objects.find(tag)
    if known is None:
        return JsonResponse({"status": False}, status=404)
    data = {"tag": tag, "status": known.status, "expiry_date": known.expires}
    return JsonResponse({"status": True, "data": data})


@require_GET
@for_gateway
def transaction(request, tag):
    """The id of the transaction that this tag starts.

    The gateway may ask again about the same start, with the same key: then the answer is the same, whatever has become of the tag since.
    """
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return HttpResponse("Idempotency-Key is missing", status=400)
    number = TransactionNumber.objects.filter(key=key).first()
    if number is None:
        known = Tag.objects.find(tag)
        if known is None or known.status != "Accepted":
            return JsonResponse({"status": False})
        number, _ = TransactionNumber.objects.get_or_create(key=key)
    return JsonResponse({"status": True, "data": {"id": number.pk, "status": "active", "tag": tag}})
