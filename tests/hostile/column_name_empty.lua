-- A field without a name.
-- run: dirty needs a name
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:set('', 1)
end

return stage
