"""The ingestion API under `/api/v1`."""
