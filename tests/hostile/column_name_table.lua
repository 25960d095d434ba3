-- A field whose name is a table.
-- run: dirty string expected
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:set({}, 1)
end

return stage
