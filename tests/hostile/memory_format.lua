-- string.format of one text many times.
-- run: dirty out of its memory limit of 8 MiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local s = ('x'):rep(1 << 20)
  return ('%s'):rep(20):format(table.unpack((function() local t = {} for i = 1, 20 do t[i] = s end return t end)()))
end

return stage
