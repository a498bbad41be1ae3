-- Stores the page as of a position in the stream (hash field 'place'), unless the same or a later position is stored.
-- If a newer version is known, or the product has no page, the stored page is deleted instead.
-- KEYS[1] key of the page; ARGV: version, label of the stream and position in it (fixed width), page or '' for none,
-- time to live in seconds
if ARGV[2] <= (redis.call('HGET', KEYS[1], 'place') or '') then return 0 end
local known = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
redis.call('HSET', KEYS[1], 'place', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[4])
if tonumber(ARGV[1]) < known or ARGV[3] == '' then
    redis.call('HDEL', KEYS[1], 'page')
    if tonumber(ARGV[1]) > known then redis.call('HSET', KEYS[1], 'version', ARGV[1]) end
    return 0
end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'page', ARGV[3])
return 1
