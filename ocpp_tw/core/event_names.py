"""The names of events and the data of each: the vocabulary that docs/contract.md is generated from."""

from __future__ import annotations

from . import charger_events, gateway_events
from .event import Data

NAMES: dict[str, type[Data]] = {
    "connect_charger": gateway_events.ConnectCharger,
    "disconnect_charger": gateway_events.DisconnectCharger,
    "boot_notification": charger_events.BootNotification,
    "health": charger_events.Health,
    "authorize": charger_events.Authorize,
    "change_connector_status": charger_events.ChangeConnectorStatus,
    "start_transaction": charger_events.StartTransaction,
    "transaction_update": charger_events.TransactionUpdate,
    "stop_transaction": charger_events.StopTransaction,
    "transaction_reconciled": gateway_events.TransactionReconciled,
    "meter_value": charger_events.MeterValue,
    "data_transfer": charger_events.DataTransfer,
    "command_result": gateway_events.CommandResult,
    "command_followup": gateway_events.CommandFollowup,
    "command_report": gateway_events.CommandReport,
    "seq_gap": gateway_events.SeqGap,
    "transaction_status": gateway_events.TransactionStatus,
    "handshake_rejected": gateway_events.HandshakeRejected,
    "authentication_failed": gateway_events.AuthenticationFailed,
    "security_event": gateway_events.SecurityEvent,
    "duplicate_identity": gateway_events.DuplicateIdentity,
    "unresponsive": gateway_events.Unresponsive,
    "silent": gateway_events.Silent,
    "flapping": gateway_events.Flapping,
    "flooding": gateway_events.Flooding,
    "clock_skew": gateway_events.ClockSkew,
    "late_response": gateway_events.LateResponse,
    "message_refused": gateway_events.MessageRefused,
}
"""Every event that has fields of its own. Any other action's is named after the action, in snake_case, with `Data` and the payload."""
