-- Records versions of a product and of its stock, and deletes a page of which one version is older.
-- KEYS[1] key of the page; ARGV: version, version of the stock, time to live in seconds
local known = redis.call('HMGET', KEYS[1], 'version', 'stock')
local newer = false
for index, name in ipairs({'version', 'stock'}) do
    if tonumber(ARGV[index]) > tonumber(known[index] or '0') then
        redis.call('HSET', KEYS[1], name, ARGV[index])
        newer = true
    end
end
if not newer then return 0 end
redis.call('HDEL', KEYS[1], 'page')
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
