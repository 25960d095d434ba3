-- A table of two of the same, thirty times: a thousand million values.
-- run: dirty cjson|out of its memory limit of 8 MiB|more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local t = {'x'}
  for i = 1, 30 do t = {t, t} end
  return #require('cjson').encode(t)
end

return stage
