-- A batch without fields.
-- run: fine
-- others: without fields
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  for _, field in ipairs(batch:fields()) do batch:remove(field.name) end
end

return stage
