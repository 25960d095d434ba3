-- A fresh cjson has no other bounds.
-- run: dirty cjson|nested|nil value
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local c = require('cjson').new()
  c.decode_max_depth(1 << 30)
  c.decode(('['):rep(300000))
  error('nested')
end

return stage
