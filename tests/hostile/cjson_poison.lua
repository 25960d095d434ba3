-- Settings and functions of cjson that one stage changes are its own.
-- run: fine
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local c = require 'cjson'
  c.encode_number_precision(1)
  c.encode = nil
end

return stage
