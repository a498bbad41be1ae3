-- Purchases and cancellations by product: what a visitor spent on the products of an experiment before it began. It is kept for
-- as long as the events are.
CREATE TABLE IF NOT EXISTS product_sales
(
    product String,
    visitor String,
    kind Enum8('event' = 1, 'exposure' = 2, 'purchase' = 3, 'cancellation' = 4, 'probe' = 5),
    id UUID,
    amount Int64,
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    precedence UInt64 MATERIALIZED 18446744073709551615 - toUnixTimestamp64Milli(received_at) CODEC(Delta, ZSTD)
)
ENGINE = ReplacingMergeTree(precedence)
ORDER BY (product, visitor, kind, id)
TTL toDateTime(received_at) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS product_sales_of_events TO product_sales AS
SELECT product, visitor, kind, id, ifNull(amount, 0) AS amount, at, received_at
FROM events
WHERE kind IN ('purchase', 'cancellation') AND product != '';

INSERT INTO product_sales (product, visitor, kind, id, amount, at, received_at)
SELECT product, visitor, kind, id, ifNull(amount, 0) AS amount, at, received_at
FROM events
WHERE kind IN ('purchase', 'cancellation') AND product != '';
