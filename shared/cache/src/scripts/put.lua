-- Stores the page as of a position in the stream (hash field 'place'), unless the same or a later position is stored.
-- If a newer version of the product or of its stock is known, or the product has no page, the stored page is deleted
-- instead.
-- KEYS[1] key of the page; ARGV: version, version of the stock, label of the stream and position in it (fixed width),
-- page or '' for none, time to live in seconds
if ARGV[3] <= (redis.call('HGET', KEYS[1], 'place') or '') then return 0 end
local known = redis.call('HMGET', KEYS[1], 'version', 'stock')
redis.call('HSET', KEYS[1], 'place', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[5])
local older = false
for index, name in ipairs({'version', 'stock'}) do
    local before = tonumber(known[index] or '0')
    if tonumber(ARGV[index]) > before then redis.call('HSET', KEYS[1], name, ARGV[index]) end
    if tonumber(ARGV[index]) < before then older = true end
end
if older or ARGV[4] == '' then
    redis.call('HDEL', KEYS[1], 'page')
    return 0
end
redis.call('HSET', KEYS[1], 'page', ARGV[4])
return 1
