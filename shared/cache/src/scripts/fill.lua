-- Stores a page that was rendered on a cache miss, unless a page is stored, or a newer version of the product or of its
-- stock is known.
-- KEYS[1] key of the page; ARGV: version, version of the stock, page, time to live in seconds
if redis.call('HEXISTS', KEYS[1], 'page') == 1 then return 0 end
local known = redis.call('HMGET', KEYS[1], 'version', 'stock')
if tonumber(ARGV[1]) < tonumber(known[1] or '0') or tonumber(ARGV[2]) < tonumber(known[2] or '0') then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'stock', ARGV[2], 'page', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
