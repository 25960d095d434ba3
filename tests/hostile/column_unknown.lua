-- A field that is not there.
-- run: dirty there is no field
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return batch:column('\0\xff')
end

return stage
