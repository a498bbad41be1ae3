-- Stores a page that was rendered on a cache miss, unless a page is stored or a newer version is known.
-- KEYS[1] key of the page; ARGV: version, page, time to live in seconds
if redis.call('HEXISTS', KEYS[1], 'page') == 1 then return 0 end
if tonumber(ARGV[1]) < tonumber(redis.call('HGET', KEYS[1], 'version') or '0') then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'page', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
