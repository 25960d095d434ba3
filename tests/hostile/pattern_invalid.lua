-- A replacement that names no capture.
-- run: dirty invalid
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return ('x'):gsub('x', '%2')
end

return stage
