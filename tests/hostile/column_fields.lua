-- More fields than a batch has.
-- run: dirty at most 1024 fields
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  for i = 1, 2000 do batch:set('f' .. i, i) end
end

return stage
