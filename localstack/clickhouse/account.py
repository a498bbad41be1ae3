"""The account of the local ClickHouse server."""

USER, PASSWORD = "souk", "clickhouse-local"
