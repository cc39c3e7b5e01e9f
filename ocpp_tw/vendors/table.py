"""Dispatches DataTransfer to the `ocpp_tw.interfaces.IVendor` of its vendorId.

Knows no vendor and no message.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from twisted.plugin import getPlugins
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from ..facts import DataTransfer, DataTransferResult
from ..interfaces import ICharger, IVendor, Maybe
from ..log import Logger

log = Logger()


class Vendors:
    """The table. Of two for one vendor the later one is used, so that an operator's plugin replaces a built-in one."""

    def __init__(self, vendors: Iterable[IVendor]) -> None:
        self._table: dict[str, IVendor] = {}
        for vendor in vendors:
            try:
                verifyObject(IVendor, vendor)
                if not isinstance(vendor.vendor_id, str) or not vendor.vendor_id:
                    raise TypeError("vendor_id is not text")
            except (Invalid, TypeError) as why:
                log.error("vendor plugin ignored: {plugin}: {why}", plugin=repr(vendor), why=str(why).strip())
                continue
            self._table[vendor.vendor_id] = vendor

    def __contains__(self, vendor_id: str) -> bool:
        return vendor_id in self._table

    def data_transfer(self, charger: ICharger, fact: DataTransfer) -> Maybe[DataTransferResult]:
        """The verdict of the vendor's `IVendor`. Raises `KeyError` for a vendor that has none."""
        return self._table[fact.vendor_id].data_transfer(charger, fact)


@cache
def installed() -> tuple[IVendor, ...]:
    """The plugins in ``twisted/plugins``, searched for once; a module that cannot be imported is logged by Twisted, and skipped."""
    return tuple(getPlugins(IVendor))
