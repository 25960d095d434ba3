-- cjson has memory of its own, which is bounded too.
-- run: dirty cjson|out of its memory limit of 8 MiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local s, t = ('x'):rep(1 << 20), {}
  for i = 1, 20000 do t[i] = s end
  return #require('cjson').encode(t)
end

return stage
