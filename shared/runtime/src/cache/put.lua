-- Keeps what is known at a place in the stream, unless what is kept is from a later place. An older version than one
-- that is known is not kept; nor is the page that it would have replaced.
-- KEYS[1] page; ARGV: version, place in the stream (fixed width), page or '' for none, seconds to keep it
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
