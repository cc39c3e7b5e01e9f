"""DataTransfer by vendorId: plugins' table, and ISO 15118 Plug & Charge over OCPP 1.6."""
