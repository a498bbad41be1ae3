"""ClickHouse on this machine: its engine in this process (chdb), behind its HTTP interface."""
