-- table.concat of one text many times.
-- run: dirty out of its memory limit of 8 MiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local t, s = {}, ('x'):rep(1 << 16)
  for i = 1, 1000 do t[i] = s end
  return table.concat(t)
end

return stage
