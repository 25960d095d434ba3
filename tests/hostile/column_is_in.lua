-- A list that lies about its length.
-- run: dirty a list of 1 to 1000 constants
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return batch.__offset__:is_in(setmetatable({}, {__len = function() return 1 << 62 end}))
end

return stage
