-- The methods of texts, for all stages.
-- run: dirty attempt to index a nil value|attempt to index a string value|attempt to perform|no metatable|is a string
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  getmetatable('').__index.upper = nil
  error('is a string')
end

return stage
