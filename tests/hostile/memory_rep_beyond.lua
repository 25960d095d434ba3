-- A text larger than memory can be addressed.
-- run: dirty resulting string too large
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return ('x'):rep(math.maxinteger)
end

return stage
