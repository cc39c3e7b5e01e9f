"""Which vendor's DataTransfer goes where: a table of `ocpp_tw.interfaces.IVendor`, by vendorId.

Knows no vendor and no message.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from twisted.logger import Logger
from twisted.plugin import getPlugins
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from ..facts import DataTransfer, DataTransferResult
from ..interfaces import ICharger, IVendor, Maybe

log = Logger()


class Vendors:
    """The table. Of two for one vendor the later one counts, so that an operator's plugin takes the place of a built-in one."""

    def __init__(self, vendors: Iterable[IVendor]) -> None:
        self._table: dict[str, IVendor] = {}
        for vendor in vendors:
            try:
                verifyObject(IVendor, vendor)
                if not isinstance(vendor.vendor_id, str) or not vendor.vendor_id:
                    raise TypeError("vendor_id is not text")
            except (Invalid, TypeError) as why:
                log.error("the vendor plugin {plugin} is left out: {why}", plugin=repr(vendor), why=str(why).strip())
                continue
            self._table[vendor.vendor_id] = vendor

    def __contains__(self, vendor_id: str) -> bool:
        return vendor_id in self._table

    def data_transfer(self, charger: ICharger, fact: DataTransfer) -> Maybe[DataTransferResult]:
        """What the vendor's own answers. Raises `KeyError` for a vendor that is in nobody's hands."""
        return self._table[fact.vendor_id].data_transfer(charger, fact)


@cache
def installed() -> tuple[IVendor, ...]:
    """The plugins found in ``twisted/plugins``, looked for once; a module that cannot be imported is logged by Twisted, and skipped."""
    return tuple(getPlugins(IVendor))
