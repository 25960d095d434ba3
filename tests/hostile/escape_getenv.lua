-- The environment.
-- run: dirty attempt to call a nil value (field 'getenv')
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return os.getenv('HOME')
end

return stage
