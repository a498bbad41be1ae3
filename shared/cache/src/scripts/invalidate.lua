-- Records a version and deletes a page of an older version.
-- KEYS[1] key of the page; ARGV: version, time to live in seconds
if tonumber(ARGV[1]) <= tonumber(redis.call('HGET', KEYS[1], 'version') or '0') then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1])
redis.call('HDEL', KEYS[1], 'page')
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
