-- cjson is told to go deeper than the C stack does.
-- run: dirty cjson|nested|nil value
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local c = require 'cjson'
  c.encode_max_depth(1 << 30)
  local t = {}
  for i = 1, 40000 do t = {t} end
  c.encode(t)
  error('nested')
end

return stage
