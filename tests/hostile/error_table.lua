-- An error that is a table.
-- run: dirty error without a text (a table)
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  error({})
end

return stage
