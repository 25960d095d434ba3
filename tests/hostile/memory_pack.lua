-- string.pack with a large padding.
-- run: dirty out of its memory limit of 8 MiB|out of limits|too large
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return string.pack('!16 s16', ('x'):rep(1 << 23))
end

return stage
