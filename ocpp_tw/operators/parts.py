"""The routes about the whole fleet.

Knows no route.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime

from ..monitoring.monitoring import Monitoring
from ..ocpp.version import Version
from .actions_api import ActionsApi
from .batches_api import BatchesApi
from .commands_api import CommandsApi
from .fleet_api import FleetApi
from .overview_api import OverviewApi
from .together import Application
from .transactions_api import TransactionsApi
from .troubles_api import TroublesApi
from .watch_api import WatchApi

FLEET_APPLICATIONS = (OverviewApi, FleetApi, TransactionsApi, CommandsApi, BatchesApi, TroublesApi, WatchApi, ActionsApi)
"""Every class with such routes."""


def fleet_parts(monitoring: Monitoring, versions: Mapping[str, Version], clock: IReactorTime) -> list[Application]:
    """Those of one gateway, or of a worker among several."""
    overview, chargers, histories, fleet = monitoring.fleet_overview, monitoring.fleet_chargers, monitoring.histories, monitoring.fleet
    return [
        OverviewApi(overview),
        FleetApi(chargers),
        TransactionsApi(monitoring.fleet_transactions, histories),
        CommandsApi(monitoring.given, fleet, histories),
        BatchesApi(monitoring.batches, fleet, chargers, versions),
        TroublesApi(fleet, histories),
        WatchApi(overview, chargers, monitoring.watching, clock),
        ActionsApi(versions),
    ]
