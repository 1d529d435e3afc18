"""What Redis must do in one step: leases and claims, as Lua."""

from redis.asyncio import Redis

_LEASE = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""

# The stream of work holds unfinished entries only and is short, so looking through it is cheap.
_OFFER = """
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
  if entry[2][1] == 'meeting' and entry[2][2] == ARGV[1] then return 0 end
end
redis.call('XADD', KEYS[1], '*', 'meeting', ARGV[1])
return 1
"""

# Claiming for oneself resets the idle time; only while it is still one's own, or a worker that
# was away for long would take the meeting back from the one that took it over.
_TOUCH = """
local mine = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1, ARGV[3])
if mine.err then
  -- Nobody has taken any work since Redis was emptied, so nobody has this either.
  if string.sub(mine.err, 1, 7) == 'NOGROUP' then return 0 end
  return mine
end
if #mine == 0 then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, ARGV[2], 'JUSTID')
return 1
"""


class Scripts:
    """The scripts, loaded again by themselves when Redis was restarted."""

    def __init__(self, client: Redis) -> None:
        self._lease = client.register_script(_LEASE)
        self._release = client.register_script(_RELEASE)
        self._offer = client.register_script(_OFFER)
        self._touch = client.register_script(_TOUCH)

    async def lease(self, key: str, owner: str, ttl_ms: int) -> bool:
        """True when `owner` has the lease for `ttl_ms` from now."""
        return bool(await self._lease(keys=[key], args=[owner, ttl_ms]))

    async def release(self, key: str, owner: str) -> bool:
        """True when it was the owner's and is gone now."""
        return bool(await self._release(keys=[key], args=[owner]))

    async def offer(self, stream: str, meeting: str) -> bool:
        """True when the meeting was not in the stream yet."""
        return bool(await self._offer(keys=[stream], args=[meeting]))

    async def touch(self, stream: str, group: str, message_id: str, worker: str) -> bool:
        """True when the entry is the worker's; its idle time begins again."""
        return bool(await self._touch(keys=[stream], args=[group, message_id, worker]))
