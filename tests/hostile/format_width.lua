-- A width that no format has.
-- run: dirty invalid conversion|invalid format
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return ('%1000d'):format(1)
end

return stage
