-- One row for each event. A repeat has the same sorting key as the first copy, so that FINAL leaves one of the two: the one
-- that was received first, whatever the order in which they are inserted. `precedence` is a version, of which the largest
-- one stays. There is no partition key: a repeat that a client sends again may have another time, and rows in different
-- partitions never replace each other.
CREATE TABLE IF NOT EXISTS events
(
    experiment LowCardinality(String),
    variant LowCardinality(String),
    visitor String,
    kind Enum8('event' = 1, 'exposure' = 2, 'purchase' = 3, 'cancellation' = 4, 'probe' = 5),
    id UUID,
    event LowCardinality(String),
    user String,
    product String,
    order String,
    quantity Nullable(Int64),
    amount Nullable(Int64),
    currency LowCardinality(String),
    bot Bool,
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    properties String CODEC(ZSTD(3)),
    precedence UInt64 MATERIALIZED 18446744073709551615 - toUnixTimestamp64Milli(received_at) CODEC(Delta, ZSTD)
)
ENGINE = ReplacingMergeTree(precedence)
ORDER BY (experiment, visitor, kind, id)
TTL toDateTime(received_at) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- The same events by product, without those that name none. A materialised view copies each inserted block, and a repeat
-- replaces the first copy here too. It is kept for as long as the longest period of a summary, and ten days.
CREATE TABLE IF NOT EXISTS product_events
(
    product String,
    visitor String,
    kind Enum8('event' = 1, 'exposure' = 2, 'purchase' = 3, 'cancellation' = 4, 'probe' = 5),
    id UUID,
    event LowCardinality(String),
    at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    received_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    precedence UInt64 MATERIALIZED 18446744073709551615 - toUnixTimestamp64Milli(received_at) CODEC(Delta, ZSTD)
)
ENGINE = ReplacingMergeTree(precedence)
ORDER BY (product, visitor, kind, id)
TTL toDateTime(received_at) + INTERVAL 100 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS product_events_of_events TO product_events AS
SELECT product, visitor, kind, id, event, at, received_at
FROM events
WHERE product != '';
